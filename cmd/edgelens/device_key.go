package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/control"
)

func newDeviceKey(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Add, list and remove the public keys by which devices sign their messages",
		Long: `A device without TLS signs its messages by its key and encrypts them to the key of this node: docs/signatures.md
describes the form. A running service of the data folder is reached by its socket there, so that changes take
effect at once. For the service of a package, run it with sudo.`,
	}
	cmd.AddCommand(newDeviceKeyAdd(environ), newDeviceKeyList(environ), newDeviceKeyRemove(environ))
	return cmd
}

// useDeviceKeys calls do with the keys of the data folder.
func useDeviceKeys(cmd *cobra.Command, environ []string, do func(control.DeviceKeyStore) error) error {
	c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
	if err != nil {
		return err
	}
	return app.UseDeviceKeys(cmd.Context(), c, cmd.ErrOrStderr(), do)
}

func newDeviceKeyAdd(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "add DEVICE FILE|JWK", Short: "Add the public key of a device: a PEM file, a file with a JWK, or a JWK",
		Example: `  edgelens device key add 1026700 door.pub.pem
  edgelens device key add 1026700 '{"kty":"EC","crv":"P-256","x":"...","y":"..."}'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[1]
			if !strings.HasPrefix(strings.TrimSpace(text), "{") {
				read, err := os.ReadFile(text)
				if err != nil {
					return err
				}
				text = string(read)
			}
			return useDeviceKeys(cmd, environ, func(keys control.DeviceKeyStore) error {
				key, err := keys.AddDeviceKey(cmd.Context(), args[0], text)
				if err != nil {
					return err
				}
				return asJSON.print(cmd, control.DeviceKey(key), func(out io.Writer) error {
					_, err := fmt.Fprintf(out, "device %s may sign by the key %s\n", key.Device, key.ID)
					return err
				})
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newDeviceKeyList(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the public keys of devices", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return useDeviceKeys(cmd, environ, func(keys control.DeviceKeyStore) error {
				list, err := keys.DeviceKeys(cmd.Context())
				if err != nil {
					return err
				}
				forms := make([]control.DeviceKey, 0, len(list))
				for _, key := range list {
					forms = append(forms, control.DeviceKey(key))
				}
				return asJSON.print(cmd, forms, func(out io.Writer) error { return printDeviceKeys(out, forms) })
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printDeviceKeys(out io.Writer, list []control.DeviceKey) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tDEVICE\tADDED") // Flush returns the error
	for _, key := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\n", key.ID, key.Device, day(key.Added))
	}
	return t.Flush()
}

func newDeviceKeyRemove(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "remove KEY", Short: "End a key of a device at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return useDeviceKeys(cmd, environ, func(keys control.DeviceKeyStore) error {
				if err := keys.RemoveDeviceKey(cmd.Context(), args[0]); err != nil {
					return err
				}
				return asJSON.print(cmd, jsonRemoved{args[0]}, func(out io.Writer) error {
					_, err := fmt.Fprintf(out, "the key %s ends\n", args[0])
					return err
				})
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}
