package main

import "github.com/spf13/cobra"

func newTerminal() *cobra.Command {
	cmd := &cobra.Command{Use: "terminal", Short: "Pretend to be terminals, or listen to real ones"}
	cmd.AddCommand(newTerminalSimulate(), newTerminalCapture())
	return cmd
}

// addBrokerFlags adds the flags of where the broker is.
func addBrokerFlags(cmd *cobra.Command, url, caFile *string) {
	cmd.Flags().StringVar(url, "broker", "mqtt://127.0.0.1:1883", "URL of the MQTT broker, such as mqtts://user:password@host:8883")
	cmd.Flags().StringVar(caFile, "broker-ca", "", "file of the certificates (PEM) that a broker with TLS is trusted for (default: this machine's)")
}
