package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgelens/identity/pki"
	"edgelens/internal/app"
	"edgelens/internal/control"
)

// enrolment is what a certificate is made by and for.
type enrolment struct {
	request control.EnrolmentRequest
	// csr is the file of a certificate signing request; "" makes one with a key in folder.
	csr, folder string
	days        int
	asJSON      jsonFlag
}

func (e *enrolment) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.csr, "csr", "", "file with a certificate signing request (PEM) of the device, - for standard input: the key stays there, and the certificate is printed")
	cmd.Flags().StringVar(&e.folder, "folder", ".", "folder for the files ID.key, ID.pem and ca.pem; a key that is there is used")
	cmd.Flags().IntVar(&e.days, "days", int(pki.DefaultValidity.Hours()/24), "validity of the certificate in days")
	e.asJSON.add(cmd, "")
}

func newDeviceEnroll(environ []string) *cobra.Command {
	var e enrolment
	var token bool
	var within time.Duration
	cmd := &cobra.Command{
		Use: "enroll ID", Short: "Make a device's key and certificate, or sign its request", Args: cobra.ExactArgs(1),
		Long: `Makes a private key and a certificate for a device into files here, signs the request of a device that has a
key, or prints a token by which the device enrolls itself at POST /api/enroll, once.`,
		Example: `  edgelens device enroll 1026700
  edgelens device enroll 1026700 --csr 1026700.csr > 1026700.pem
  edgelens device enroll 1026700 --token --within 10m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			e.request.Device = args[0]
			if token {
				return e.printToken(cmd, environ, control.TokenRequest{Device: args[0], Within: within, Validity: e.validity()})
			}
			return e.run(cmd, environ)
		},
	}
	e.addFlags(cmd)
	cmd.Flags().BoolVar(&token, "token", false, "print a token by which the device enrolls itself, once")
	cmd.Flags().DurationVar(&within, "within", pki.DefaultTokenTime, "how long the token can be used")
	cmd.MarkFlagsMutuallyExclusive("token", "csr")
	return cmd
}

func newDeviceRenew(environ []string) *cobra.Command {
	e := enrolment{request: control.EnrolmentRequest{Renew: true}}
	cmd := &cobra.Command{
		Use: "renew ID", Short: "Make another certificate for a device that has one", Args: cobra.ExactArgs(1),
		Long: `Makes another certificate for a device, with the key in the folder, or that of its request. The former one stays
valid until its end; where the key was lost to others, revoke it instead, and enroll the device again.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			e.request.Device = args[0]
			return e.run(cmd, environ)
		},
	}
	e.addFlags(cmd)
	return cmd
}

func (e *enrolment) validity() time.Duration { return time.Duration(e.days) * 24 * time.Hour }

// run has the certificate issued. Root does not become the service's user here: the files are the caller's.
func (e *enrolment) run(cmd *cobra.Command, environ []string) error {
	c, err := loadSettings(cmd, environ)
	if err != nil {
		return err
	}
	e.request.Validity = e.validity()
	return app.UseCertificates(cmd.Context(), c, cmd.ErrOrStderr(), func(of control.Certificates) error {
		if e.csr != "" {
			return e.sign(cmd, of)
		}
		files, err := app.EnrollHere(cmd.Context(), of, e.request, e.folder)
		if err != nil {
			return err
		}
		return e.asJSON.print(cmd, jsonEnrolled{files.Key, files.Certificate, files.Authority, files.Expires}, func(out io.Writer) error {
			_, err := fmt.Fprintf(out, "private key: %s\ncertificate: %s, until %s\nauthority:   %s\n",
				files.Key, files.Certificate, files.Expires.Format(time.DateOnly), files.Authority)
			return err
		})
	})
}

// sign has the request of a file signed, and prints the certificate with its chain.
func (e *enrolment) sign(cmd *cobra.Command, of control.Certificates) error {
	text, err := app.ReadRequest(e.csr, cmd.InOrStdin())
	if err != nil {
		return err
	}
	e.request.CSR = string(text)
	issued, err := of.Enroll(cmd.Context(), e.request)
	if err != nil {
		return err
	}
	return e.asJSON.print(cmd, issued, func(out io.Writer) error {
		_, err := fmt.Fprint(out, issued.Chain)
		return err
	})
}

// jsonEnrolled is the JSON of a device whose key and certificate were made here: their files, that of the authority, and when the
// certificate expires. Names are added and never changed: scripts read them.
type jsonEnrolled struct {
	Key         string    `json:"key"`
	Certificate string    `json:"certificate"`
	Authority   string    `json:"authority"`
	Expires     time.Time `json:"expires"`
}

// printToken prints the token alone to standard output, for scripts.
func (e *enrolment) printToken(cmd *cobra.Command, environ []string, request control.TokenRequest) error {
	return useCertificates(cmd, environ, func(of control.Certificates) error {
		token, err := of.NewEnrolmentToken(cmd.Context(), request)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Token for %s, shown only now: it can be used once, until %s, with POST /api/enroll.\n", request.Device, token.Expires.Local().Format(time.DateTime))
		return e.asJSON.print(cmd, token, func(out io.Writer) error {
			_, err := fmt.Fprintln(out, token.Token)
			return err
		})
	})
}
