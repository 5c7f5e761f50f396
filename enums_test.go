package edgelens_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestIntegerTypesHaveString requires a String method of every named integer type of
// a package that logs: without one, a log would show its number.
func TestIntegerTypesHaveString(t *testing.T) {
	numbers, worded, logs := map[string]string{}, map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "build" || entry.Name() == "testdata" || path != "." && strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_generated.go") || strings.HasSuffix(path, ".gen.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.Dir(path)
		for _, imported := range file.Imports {
			logs[folder] = logs[folder] || imported.Path.Value == `"log/slog"`
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok && isInteger(spec.Type) {
						numbers[folder+"."+spec.Name.Name] = path
					}
				}
			case *ast.FuncDecl:
				if decl.Recv != nil && decl.Name.Name == "String" {
					if name, ok := decl.Recv.List[0].Type.(*ast.Ident); ok {
						worded[folder+"."+name.Name] = true
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range numbers {
		if logs[filepath.Dir(path)] && !worded[name] {
			t.Errorf("%s: %s has no String method", path, name)
		}
	}
	if len(numbers) == 0 || len(logs) == 0 {
		t.Error("nothing was found")
	}
}

func isInteger(of ast.Expr) bool {
	name, ok := of.(*ast.Ident)
	return ok && (strings.HasPrefix(name.Name, "int") || strings.HasPrefix(name.Name, "uint"))
}
