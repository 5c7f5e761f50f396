package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/identity/signing"
	"edgelens/internal/client"
)

func newVerify() *cobra.Command {
	var source keySetFlags
	var signature string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify the signature of an event, a webhook, an answer, or the chain of a device's events",
		Long: `Verifies what a node has signed by its public keys (docs/signatures.md): an event or a webhook's body with its
member "signature"; several events, one after the other, and whether any is missing between them; the body of a
webhook or an answer with its header Edgelens-Signature (--signature); or the export of a chain. "-" reads standard
input. Nothing is sent anywhere; --server alone fetches the keys. The exit status is 1 where anything is not proved.`,
		Example: `  edgelens verify event.json --keys jwks.json
  edgelens verify events.jsonl --server http://127.0.0.1:8080
  edgelens verify answer.json --signature eyJhbGciOi...cw --keys jwks.json
  curl -s http://127.0.0.1:8080/api/devices/1026700/chain | edgelens verify - --keys jwks.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := source.read(cmd.Context())
			if err != nil {
				return err
			}
			keys, err := signing.ParseJWKS(set)
			if err != nil {
				return err
			}
			text, err := readInput(cmd, args[0])
			if err != nil {
				return err
			}
			report := signing.Verify(text, signature, keys)
			err = asJSON.print(cmd, newJSONReport(report), func(out io.Writer) error { return printReport(out, report) })
			if err == nil && !report.OK() {
				return errSilent
			}
			return err
		},
	}
	source.add(cmd.Flags())
	cmd.Flags().StringVar(&signature, "signature", "", "the header Edgelens-Signature that came with the file")
	asJSON.add(cmd, "")
	return cmd
}

// keySetFlags are the flags of commands that need the public keys of a node.
type keySetFlags struct{ file, server string }

func (k *keySetFlags) add(f *pflag.FlagSet) {
	f.StringVar(&k.file, "keys", "", "file with the public keys of the node, a JSON Web Key Set as /.well-known/jwks.json serves it")
	f.StringVar(&k.server, "server", "", "address of a service whose public keys are used, such as http://127.0.0.1:8080, in place of --keys")
}

// read returns the JSON Web Key Set.
func (k *keySetFlags) read(ctx context.Context) ([]byte, error) {
	switch {
	case (k.file == "") == (k.server == ""):
		return nil, usageError{errors.New("either --keys FILE or --server URL is needed, for the public keys")}
	case k.file != "":
		return os.ReadFile(k.file)
	}
	return client.Client{Server: k.server}.PublicKeys(ctx)
}

// readInput reads a file, or standard input for "-".
func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

// jsonReport is the JSON of what is proved. Names are added and never changed: scripts read them.
type jsonReport struct {
	OK     bool     `json:"ok"`
	Proved []string `json:"proved"`
	Notes  []string `json:"notes"`
	Failed []string `json:"failed"`
}

func newJSONReport(r signing.Report) jsonReport {
	list := func(lines []string) []string { return append([]string{}, lines...) } // never null
	return jsonReport{r.OK(), list(r.Proved), list(r.Notes), list(r.Failed)}
}

// printReport prints what is proved and what is not.
func printReport(w io.Writer, report signing.Report) error {
	var errs []error
	print := func(mark string, lines []string) {
		for _, line := range lines {
			_, err := fmt.Fprintln(w, mark, line)
			errs = append(errs, err)
		}
	}
	print("proved:    ", report.Proved)
	print("note:      ", report.Notes)
	print("NOT PROVED:", report.Failed)
	return errors.Join(errs...)
}
