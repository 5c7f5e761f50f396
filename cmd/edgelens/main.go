// Command edgelens recognizes images: over HTTP (serve), from the queue of other nodes (worker), or of files
// (recognize). This package parses flags, makes one call, and prints its result; it does nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/inference/probe"
	"edgelens/inference/runtimes"
	"edgelens/internal/similar"
	"edgelens/preprocess/sandbox"
)

// These are set by the Makefile from git (scripts/version); date is that of the commit.
var version, commit, date = "devel", "unknown", "unknown"

func main() {
	sandbox.Main()                              // this may be a process that decodes images
	probe.Main(runtimes.New(runtimes.Config{})) // this may be a process that probes a model
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// errSilent ends a command with status 1 after it has printed its error.
var errSilent = errors.New("")

// execute runs the command line and returns the exit status: 0, or another one with a
// sentence on stderr, 2 where the command line was wrong.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	root := newRoot(environ)
	root.SetArgs(keyIDsLast(root, args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintf(stderr, "edgelens: %v\n", err) // an error has no other output
		}
		return statusOf(err)
	}
	return statusOK
}

func newRoot(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "edgelens",
		Short:         "Image-recognition server for the edge",
		Long:          "Image-recognition server for the edge. The exit status is 0, 1 where a command failed, and 2 where the command line was wrong.",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  edgelens serve
  edgelens recognize cat.jpg
  edgelens key create --name app --scopes recognize,jobs
  edgelens backup /mnt/usb/edgelens.tar`,
	}
	root.SetVersionTemplate("edgelens {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return asUsage(explainFlag(cmd, err)) })
	for _, group := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"run", "Run:", []*cobra.Command{newServe(environ), newWorker(environ)}},
		{"use", "Use:", []*cobra.Command{newRecognize(environ), newJob(environ), newOutbox(environ), newResults(environ), newVerify()}},
		{"operate", "Operate:", []*cobra.Command{newHealth(environ), newConfig(environ), newKey(environ), newIdentity(environ), newTLS(environ), newCA(environ), newLedger(environ), newBackup(environ), newRestore(environ), newCluster(), newVersion(environ)}},
		{"models", "Models and speed:", []*cobra.Command{newModel(environ), newRuntime(environ), newBench(environ)}},
		{"learn", "Learn on site:", []*cobra.Command{newDataset(environ), newHead(environ), newFederation(environ)}},
		{"devices", "Devices:", []*cobra.Command{newDevice(environ), newTerminal(), newState(environ), newSensor(environ)}},
	} {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	strict(root)
	completeValues(root, environ)
	return root
}

// explainFlag adds the most similar flag to the error for an unknown one; what has a single dash may have been meant as an
// argument.
func explainFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if shorthands := unknown.GetSpecifiedShortnames(); shorthands != "" {
		return fmt.Errorf("%w; arguments that begin with - stand behind --, as in %s -- -%s", err, cmd.CommandPath(), shorthands)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if name := similar.Name(unknown.GetSpecifiedName(), known); name != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, name)
	}
	return fmt.Errorf("%w; %s --help lists them", err, cmd.CommandPath())
}

// noArgs rejects arguments that are not flags. Some are meant as the value of a switch, which needs an equals sign.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if _, err := strconv.ParseBool(args[0]); err == nil {
		return fmt.Errorf("%s takes no arguments, but got %q; switch a setting off by --flag=false, with an equals sign", cmd.CommandPath(), args[0])
	}
	return fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
}
