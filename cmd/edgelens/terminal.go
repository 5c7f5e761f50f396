package main

import "github.com/spf13/cobra"

func newTerminal() *cobra.Command {
	cmd := &cobra.Command{Use: "terminal", Short: "Simulate terminals, or capture the messages of real ones"}
	cmd.AddCommand(newTerminalSimulate(), newTerminalCapture())
	return cmd
}

// addBrokerFlags adds the flags of the broker.
func addBrokerFlags(cmd *cobra.Command, url, caFile *string) {
	cmd.Flags().StringVar(url, "broker", "mqtt://127.0.0.1:1883", "URL of the MQTT broker, such as mqtts://user:password@host:8883")
	cmd.Flags().StringVar(caFile, "broker-ca", "", "file of CA certificates (PEM) for a broker with TLS (default: this machine's)")
}
