// Command federated measures federated rounds in a simulation: accuracy beside central training, poisoned nodes, FedProx, noise,
// secure aggregation, and what a round costs:
//
//	go run ./tools/studies/federated --labeled FOLDER MODELS
//
// `make bench-federated` writes docs/federation-figures.md with it.
package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/pflag"

	"edgelens/internal/console"
	"edgelens/preprocess/sandbox"
	"edgelens/tools/studies/study"
)

func main() {
	sandbox.Main() // this may be a child process that decodes an image
	study.Main("federated", run)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := pflag.NewFlagSet("federated", pflag.ContinueOnError)
	f.SetOutput(stderr)
	labeled := f.String("labeled", "", "folder of the labeled images")
	seeds := f.Int("seeds", 20, "how often each figure is measured, with other data")
	cache := f.String("cache", "", "file to keep the embeddings in, for the next run")
	out := f.String("out", "", "file to write the report to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("give the folder of the models")
	}
	all, err := loadEmbeddings(ctx, *cache, f.Arg(0), *labeled, console.NewProgress(stderr, 10))
	if err != nil {
		return err
	}
	text, err := report(ctx, all, *seeds, stderr)
	if err != nil {
		return err
	}
	return study.WriteReport(*out, stdout, []byte(text))
}
