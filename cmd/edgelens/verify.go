package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"edgelens/identity/signing"
	"edgelens/internal/client"
)

func newVerify() *cobra.Command {
	var keysFile, server, signature string
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
			keys, err := readKeySet(cmd.Context(), keysFile, server)
			if err != nil {
				return err
			}
			text, err := readInput(cmd, args[0])
			if err != nil {
				return err
			}
			return printReport(cmd.OutOrStdout(), signing.Verify(text, signature, keys))
		},
	}
	f := cmd.Flags()
	f.StringVar(&keysFile, "keys", "", "file with the public keys, a JSON Web Key Set as /.well-known/jwks.json serves it")
	f.StringVar(&server, "server", "", "address of a service whose public keys are used, such as http://127.0.0.1:8080")
	f.StringVar(&signature, "signature", "", "the header Edgelens-Signature that came with the file")
	cmd.MarkFlagsMutuallyExclusive("keys", "server")
	cmd.MarkFlagsOneRequired("keys", "server")
	return cmd
}

func readKeySet(ctx context.Context, file, server string) (signing.Keys, error) {
	var set []byte
	var err error
	if file != "" {
		set, err = os.ReadFile(file)
	} else {
		set, err = client.Client{Server: server}.PublicKeys(ctx)
	}
	if err != nil {
		return nil, err
	}
	return signing.ParseJWKS(set)
}

// readInput reads a file, or standard input for "-".
func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

// printReport prints what is proved and what is not, which is an error.
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
	if !report.OK() {
		errs = append(errs, errSilent)
	}
	return errors.Join(errs...)
}
