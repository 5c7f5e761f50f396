//go:build cgo

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// What scripts read of commands on this machine: docs/command-line.md has the same names.
func TestJSONOfLocalCommands(t *testing.T) {
	environ, folder := colorsEnvironment(t), t.TempDir()
	saved, legacy := filepath.Join(folder, "a.tar"), file(t, "legacy.tflite", modeltest.Network(tflitefile.Uint8))
	for _, test := range []struct{ line, want string }{
		{"key create --name a --scopes jobs", "key,token"},
		{"key list", "created,id,name,scopes"},
		{"ledger status", "at,bytes,kinds,max_bytes"},
		{"key revoke a", "created,id,name,revoked,scopes"},
		{"backup " + saved, "bytes,damaged_images,file,manifest"},
		{"backup --verify " + saved, "bytes,damaged_images,file,manifest"},
		{"restore --data-dir " + filepath.Join(folder, "new") + " " + saved, "damaged_images,data_dir,failed_commands,held_events,held_jobs,manifest,too_old,unusable_heads"},
		{"config", "default,key,source,type,value"},
		{"model list", "built_in,bytes,default,digest,labels,name,problem,state,task"},
		{"model pull snapshot_quality", "model"},
		{"model verify colors", "model,usable"},
		{"model requantize " + legacy + " " + filepath.Join(folder, "int8.tflite"), "agreement,file"},
		{"model dequantize " + legacy + " " + filepath.Join(folder, "float.tflite"), "file"},
	} {
		t.Run(test.line, func(t *testing.T) {
			status, out, text := runCommand(t, environ, append(strings.Fields(test.line), "--json")...)
			lines := readJSON(t, out)
			if status != 0 || len(lines) != 1 || names(lines[0]) != test.want {
				t.Errorf("status %d %s%s, want the names %s", status, out, text, test.want)
			}
		})
	}
	status, out, _ := runCommand(t, environ, "model", "verify", "--json", "colors", "nope")
	if lines := readJSON(t, out); status != 1 || len(lines) != 2 || names(lines[1]) != "model,problem,usable" {
		t.Errorf("status %d %s", status, out)
	}
}
