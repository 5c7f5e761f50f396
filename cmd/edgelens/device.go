package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/config"
	"edgelens/internal/control"
)

func newDevice(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "device",
		Short: "Enroll devices with certificates, list and revoke them; add their keys for sealed messages",
		Long: `A device that is enrolled has a private key and a certificate with its id, by which the private broker and
other servers know that it is the device (docs/identity.md). A running service of the data folder is reached
by its socket there, so that changes take effect at once. For the service of a package, run it with sudo.`,
	}
	config.AddFlags(cmd.PersistentFlags(), "data_dir")
	cmd.AddCommand(newDeviceEnroll(environ), newDeviceRenew(environ), newDeviceList(environ), newDeviceRevoke(environ), newDeviceKey(environ), newDeviceSeal(), newDeviceOpen(environ))
	return cmd
}

func newDeviceRevoke(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End the certificates of a device at once, for good", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return useCertificates(cmd, environ, func(of control.Certificates) error {
				revoked, err := of.RevokeDevice(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return asJSON.print(cmd, revoked, func(out io.Writer) error {
					for _, c := range revoked {
						if _, err := fmt.Fprintf(out, "certificate %s of %s is revoked\n", c.Serial, c.Name); err != nil {
							return err
						}
					}
					return nil
				})
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newDeviceList(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the certificates of devices and nodes", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return useCertificates(cmd, environ, func(of control.Certificates) error {
				list, err := of.Certificates(cmd.Context())
				if err != nil {
					return err
				}
				return asJSON.print(cmd, list, func(out io.Writer) error { return printCertificates(out, list) })
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printCertificates(out io.Writer, list []control.Certificate) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tKIND\tSTATE\tISSUED\tEXPIRES\tREVOKED\tSERIAL") // Flush returns the error
	for _, c := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.Kind, c.State, day(c.Issued), c.NotAfter.Local().Format(time.DateOnly), day(c.Revoked), c.Serial)
	}
	return t.Flush()
}
