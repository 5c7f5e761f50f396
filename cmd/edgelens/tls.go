package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/certificate"
	"edgelens/internal/config"
)

func newTLS(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "tls", Short: "Make a certificate for HTTPS and MQTT"}
	selfSigned := newSelfSigned(environ)
	config.AddFlags(selfSigned.Flags(), "data_dir")
	cmd.AddCommand(selfSigned)
	return cmd
}

func newSelfSigned(environ []string) *cobra.Command {
	var description certificate.SelfSigned
	var folder string
	var hosts []string
	var replace bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "self-signed",
		Short: "Make a certificate that no authority has signed, for this machine's names and addresses",
		Long: `Makes a certificate and its private key for the names and addresses of this machine, and those of --host.
Clients refuse it until it is installed on them as trusted, or they compare its fingerprint. A running
service that uses the same files reads them again within seconds.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if folder == "" {
				c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
				if err != nil {
					return err
				}
				folder = filepath.Join(c.DataDir, "tls")
			}
			description.Hosts, description.Now = append(certificate.Hosts(), hosts...), time.Now()
			files, fingerprint, err := description.Write(folder, replace)
			if err != nil {
				return err
			}
			if files, err = files.Absolute(); err != nil {
				return err
			}
			made := jsonCertificate{files.Certificate, files.Key, fingerprint, description.HostList()}
			return asJSON.print(cmd, made, made.text)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&hosts, "host", nil, "another name or address by which clients reach this machine; may be given again")
	f.IntVar(&description.Days, "days", certificate.MaxDays, "validity in days, at most what all browsers accept")
	f.StringVar(&folder, "folder", "", "folder for cert.pem and key.pem (default: tls in the data folder)")
	f.BoolVar(&replace, "replace", false, "replace the files that are there")
	asJSON.add(cmd, "")
	return cmd
}

// jsonCertificate is the JSON of a new certificate. Names are added and never changed: scripts read them.
type jsonCertificate struct {
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"`
	SHA256      string   `json:"sha256"`
	Hosts       []string `json:"hosts"`
}

func (c jsonCertificate) text(out io.Writer) error {
	_, err := fmt.Fprintf(out, `certificate: %s
private key: %s
SHA-256:     %s
hosts:       %s

serve uses it with
  --http-tls-cert %[1]s --http-tls-key %[2]s
and the private broker for terminals with
  --mqtt-tls-cert %[1]s --mqtt-tls-key %[2]s
`, c.Certificate, c.Key, c.SHA256, strings.Join(c.Hosts, ", "))
	return err
}
