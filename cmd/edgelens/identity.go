package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/identity/signing"
	"edgelens/internal/config"
)

func newIdentity(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "identity",
		Short: "List, rotate and remove the keys by which this node signs",
		Long: `The node signs its events and, where clients ask for it, its answers: docs/signatures.md. The key is in
the data folder, and is made at the first start. Public keys are served at /.well-known/jwks.json.
For the service of a package, run it with sudo.`,
	}
	config.AddFlags(cmd.PersistentFlags(), "data_dir", "identity.keep_keys")
	cmd.AddCommand(newIdentityList(environ), newIdentityRotate(environ), newIdentityRemove(environ), newIdentityJWKS(environ))
	return cmd
}

// openNode returns the keys of the data folder.
func openNode(cmd *cobra.Command, environ []string) (*signing.Node, error) {
	c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
	if err != nil {
		return nil, err
	}
	return signing.Open(c.DataDir, c.Signing)
}

// jsonPublicKey is the JSON of a key of the node. Names are added and never changed: scripts read them.
type jsonPublicKey struct {
	ID      string    `json:"id"`
	Made    time.Time `json:"made"`
	Retired time.Time `json:"retired,omitzero"`
}

func newIdentityList(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the public keys", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, err := openNode(cmd, environ)
			if err != nil {
				return err
			}
			keys, err := node.PublicKeys()
			if err != nil {
				return err
			}
			forms := make([]jsonPublicKey, 0, len(keys))
			for _, key := range keys {
				forms = append(forms, jsonPublicKey{key.ID, key.Made, key.Retired})
			}
			return asJSON.print(cmd, forms, func(out io.Writer) error { return printPublicKeys(out, keys) })
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printPublicKeys(out io.Writer, keys []signing.PublicKey) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tMADE\tRETIRED") // Flush returns the error
	for _, key := range keys {
		fmt.Fprintf(t, "%s\t%s\t%s\n", key.ID, day(key.Made), day(key.Retired))
	}
	return t.Flush()
}

func newIdentityRotate(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make a new key, which signs at once; the keys before stay published", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, err := openNode(cmd, environ)
			if err != nil {
				return err
			}
			key, err := node.Rotate()
			if err != nil {
				return err
			}
			return asJSON.print(cmd, jsonPublicKey{key.ID, key.Made, key.Retired}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "the key %s signs from now on\n", key.ID)
				return err
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newIdentityRemove(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "remove KEY", Short: "Publish a former key no more: what it signed cannot be verified then", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := openNode(cmd, environ)
			if err != nil {
				return err
			}
			if err := node.Remove(args[0]); err != nil {
				return err
			}
			return asJSON.print(cmd, jsonRemoved{args[0]}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "the key %s is not published any more\n", args[0])
				return err
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

// jsonRemoved is the JSON of a key that was removed.
type jsonRemoved struct {
	ID string `json:"id"`
}

func newIdentityJWKS(environ []string) *cobra.Command {
	return &cobra.Command{
		Use: "jwks", Short: "Print the public keys as a JSON Web Key Set, as /.well-known/jwks.json serves them", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, err := openNode(cmd, environ)
			if err != nil {
				return err
			}
			set, err := node.JWKS()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(set))
			return err
		},
	}
}
