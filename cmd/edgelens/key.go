package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/access"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/control"
)

func newKey(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Create, list and revoke the keys of clients",
		Long: `Keys let clients use the service: docs/access.md describes scopes and bounds. A running service
of the data folder is reached by its socket there, so that changes take effect at once. For the
service of a package, run it with sudo.`,
	}
	config.AddFlags(cmd.PersistentFlags(), "data_dir")
	cmd.AddCommand(newKeyCreate(environ), newKeyList(environ), newKeyRevoke(environ))
	return cmd
}

// useKeys calls do with the keys of the data folder.
func useKeys(cmd *cobra.Command, environ []string, do func(control.KeyStore) error) error {
	c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
	if err != nil {
		return err
	}
	return app.UseKeys(cmd.Context(), c, cmd.ErrOrStderr(), do)
}

func newKeyCreate(environ []string) *cobra.Command {
	var key edgelens.Key
	var scopes []string
	var expires, file string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "create --name NAME --scopes SCOPE[,SCOPE...]",
		Short: "Create a key and print its token, once",
		Example: `  edgelens key create --name operator --scopes admin
  edgelens key create --name app --scopes recognize,jobs --expires 90d
  edgelens key create --name front-door --scopes results,commands --devices 1026700
  edgelens key create --name app --scopes recognize --keys-file keys.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if key.Expires, err = access.ParseExpiry(expires, time.Now()); err != nil {
				return err
			}
			for _, scope := range scopes {
				key.Scopes = append(key.Scopes, edgelens.Scope(strings.TrimSpace(scope)))
			}
			if file != "" {
				created, token, err := access.Append(file, key, time.Now())
				if err != nil {
					return err
				}
				return printToken(cmd, asJSON, created, token, "It is in "+file+", which http.keys_file names.")
			}
			return useKeys(cmd, environ, func(keys control.KeyStore) error {
				created, token, err := keys.CreateKey(cmd.Context(), key)
				if err != nil {
					return err
				}
				return printToken(cmd, asJSON, created, token, "`edgelens key revoke "+created.ID+"` ends it.")
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&key.Name, "name", "", "name of the client, for lists and logs")
	f.StringSliceVar(&scopes, "scopes", nil, "what it may do: recognize, jobs, results, devices, commands, metrics, learn (datasets and heads), page (the read-only page), or admin (everything)")
	f.StringSliceVar(&key.Devices, "devices", nil, "only these devices, whose jobs and results it may see (default: all, and its own jobs and results)")
	f.StringSliceVar(&key.Models, "models", nil, "only these models (default: all)")
	f.BoolVar(&key.SeeAll, "see-all", false, "let it see the jobs and results of other clients, too")
	f.StringVar(&expires, "expires", "", "when it expires: 90d, 12h, 2027-01-31 (default: never)")
	f.StringVar(&file, "keys-file", "", "add the key to this file, for http.keys_file, and not to the data folder")
	asJSON.add(cmd, "")
	return cmd
}

// printToken prints the token alone to standard output, for scripts.
func printToken(cmd *cobra.Command, asJSON jsonFlag, key edgelens.Key, token, note string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "Key %s (%s), shown only now: store it safely. Clients send it as Authorization: Bearer or X-API-Key. %s\n", key.ID, key.Name, note)
	return asJSON.print(cmd, control.CreatedKey{Key: control.NewKey(key), Token: token}, func(out io.Writer) error {
		_, err := fmt.Fprintln(out, token)
		return err
	})
}

func newKeyRevoke(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "revoke ID|NAME", Short: "End a key at once, for good", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return useKeys(cmd, environ, func(keys control.KeyStore) error {
				key, err := keys.RevokeKey(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return asJSON.print(cmd, control.NewKey(key), func(out io.Writer) error {
					_, err := fmt.Fprintf(out, "key %s (%s) is revoked\n", key.ID, key.Name)
					return err
				})
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}
