package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/control"
)

func newCA(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Make and show the certificate authority of this site",
		Long: `The authority signs the certificates by which devices and this node identify themselves over TLS
(docs/identity.md). Its private key lies in the data folder: who has it can be every device.`,
	}
	config.AddFlags(cmd.PersistentFlags(), "data_dir")
	cmd.AddCommand(newCAInit(environ), newCAShow(environ))
	return cmd
}

// useCertificates calls do with the certificates of the data folder.
func useCertificates(cmd *cobra.Command, environ []string, do func(control.Certificates) error) error {
	c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
	if err != nil {
		return err
	}
	return app.UseCertificates(cmd.Context(), c, cmd.ErrOrStderr(), do)
}

func newCAInit(environ []string) *cobra.Command {
	var wanted control.NewAuthority
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "init", Short: "Make the certificate authority, and this node's certificate", Args: noArgs,
		Example: `  edgelens ca init --name "edgelens at the school"
  edgelens ca init --host edge.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return useCertificates(cmd, environ, func(of control.Certificates) error {
				made, err := of.CreateAuthority(cmd.Context(), wanted)
				if err != nil {
					return err
				}
				return asJSON.print(cmd, made, func(out io.Writer) error { return printAuthority(out, made) })
			})
		},
	}
	cmd.Flags().StringVar(&wanted.Name, "name", "edgelens", "name of the authority, which people see where they trust it")
	cmd.Flags().StringArrayVar(&wanted.Hosts, "host", nil, "another name or address by which clients reach this machine; may be given again")
	asJSON.add(cmd, "")
	return cmd
}

func newCAShow(environ []string) *cobra.Command {
	var asPEM bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "show", Short: "Show the certificate authority", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return useCertificates(cmd, environ, func(of control.Certificates) error {
				found, err := of.Authority(cmd.Context())
				switch {
				case err != nil:
					return err
				case asPEM:
					_, err = fmt.Fprint(cmd.OutOrStdout(), found.PEM)
					return err
				}
				return asJSON.print(cmd, found, func(out io.Writer) error { return printAuthority(out, found) })
			})
		},
	}
	cmd.Flags().BoolVar(&asPEM, "pem", false, "print the certificate alone, which clients trust")
	asJSON.add(cmd, "")
	cmd.MarkFlagsMutuallyExclusive("pem", "json")
	return cmd
}

func printAuthority(out io.Writer, a control.Authority) error {
	_, err := fmt.Fprintf(out, `authority:   %s
SHA-256:     %s
expires:     %s
node:        %s
private key: %s
expires:     %s, and is renewed before
hosts:       %s

serve uses the node's certificate with
  --http-tls-cert %[4]s --http-tls-key %[5]s
  --mqtt-tls-cert %[4]s --mqtt-tls-key %[5]s
and has the private broker demand one of each terminal with
  --mqtt-tls-client-auth require
`, a.Name, a.SHA256, a.NotAfter.Format(time.DateOnly), a.NodeCertificate, a.NodeKey, a.NodeExpires.Format(time.DateOnly), strings.Join(a.Hosts, ", "))
	return err
}
