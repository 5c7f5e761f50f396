package main

import (
	"context"
	"os"
	"path/filepath"

	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

// formSettings rewrites the model to the forms that it can have, in a folder
// that goes when the benchmarks end, and returns how to measure them: what
// quantization saves then stands in the report, true or not.
func (b *bencher) formSettings(ctx context.Context) ([]suite.ModelSetting, error) {
	model, err := benchModel(ctx, b.config)
	if err != nil {
		return nil, err
	}
	m, err := models.ReadFile(model.Path)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "edgelens-forms-*")
	if err != nil {
		return nil, err
	}
	b.ends = append(b.ends, func() error { return os.RemoveAll(dir) })
	b.forms = map[string]string{}
	var settings []suite.ModelSetting
	for _, form := range []struct {
		name    string
		rewrite func(*tflitefile.Model) (*tflitefile.Model, error)
	}{{suite.FormFloat32, rewrite.Dequantize}, {suite.FormInt8, rewrite.Requantize}} {
		rewritten, err := form.rewrite(m)
		if err != nil {
			continue // it has that form already, or cannot have it
		}
		file, err := rewritten.Write()
		if err != nil {
			return nil, err
		}
		b.forms[form.name] = filepath.Join(dir, form.name+".tflite")
		if err := os.WriteFile(b.forms[form.name], file, 0o600); err != nil {
			return nil, err
		}
		settings = append(settings, suite.ModelSetting{Delegate: inference.DelegateAuto, Threads: 1, Interpreters: 1, Form: form.name})
	}
	return settings, nil
}
