package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/identity/keys"
	"edgelens/identity/signing"
)

func newDeviceSeal() *cobra.Command {
	var source keySetFlags
	var keyFile string
	var counter int64
	cmd := &cobra.Command{
		Use:   "seal FILE",
		Short: "Seal a message as a device does, and print its envelope",
		Long: `Signs a message by the private key of a device and encrypts it to the key of a node, as docs/signatures.md
describes, to test devices and services. "-" reads standard input.`,
		Example: `  edgelens device seal record.json --key door.key --server http://127.0.0.1:8080 |
    mosquitto_pub -q 1 -t fungxi_1026700_upLink -s`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keyFile == "" {
				return usageError{errors.New("--key FILE is needed, with the private key of the device")}
			}
			key, err := keys.Load(keyFile)
			if err != nil {
				return err
			}
			set, err := source.read(cmd.Context())
			if err != nil {
				return err
			}
			node, err := signing.ParseSealingKey(set)
			if err != nil {
				return err
			}
			message, err := readInput(cmd, args[0])
			if err != nil {
				return err
			}
			sealed, err := envelope.Sealer{Key: key, Node: node, Now: time.Now}.Seal(message, counter)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(sealed))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&keyFile, "key", "", "file with the private key of the device (PEM, PKCS#8)")
	source.add(f)
	f.Int64Var(&counter, "counter", 0, "counter of a device without a clock, larger than the last one; 0: the time")
	return cmd
}

func newDeviceOpen(environ []string) *cobra.Command {
	var publicFile string
	cmd := &cobra.Command{
		Use:   "open FILE",
		Short: "Open an envelope by the key of this node, and print its message",
		Long: `Opens an envelope with the key of the data folder, to test devices. It is not remembered: a replay is opened as
well. "-" reads standard input.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if publicFile == "" {
				return usageError{errors.New("--device-key FILE is needed, with the public key of the device")}
			}
			node, err := openNode(cmd, environ)
			if err != nil {
				return err
			}
			key, err := node.SealingKey()
			if err != nil {
				return err
			}
			text, err := os.ReadFile(publicFile)
			if err != nil {
				return err
			}
			public, err := envelope.ParsePublicKey(text)
			if err != nil {
				return err
			}
			id, err := keys.ID(public)
			if err != nil {
				return err
			}
			find := func(wanted string) (string, *ecdsa.PublicKey, bool) { return "of --device-key", public, wanted == id }
			opener, err := envelope.NewOpener(envelope.DefaultConfig(), key, find, noGuard{}, time.Now)
			if err != nil {
				return err
			}
			sealed, err := readInput(cmd, args[0])
			if err != nil {
				return err
			}
			opened, err := opener.Open(cmd.Context(), sealed)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(opened.Payload)
			return err
		},
	}
	cmd.Flags().StringVar(&publicFile, "device-key", "", "file with the public key of the device (PEM or JWK)")
	return cmd
}

// noGuard remembers nothing.
type noGuard struct{}

func (noGuard) CheckStamp(context.Context, edgelens.EnvelopeStamp) error { return nil }
func (noGuard) NoteStamp(context.Context, edgelens.EnvelopeStamp) error  { return nil }
