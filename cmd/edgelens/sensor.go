package main

import "github.com/spf13/cobra"

func newSensor() *cobra.Command {
	cmd := &cobra.Command{Use: "sensor", Short: "Simulate sensors"}
	cmd.AddCommand(newSensorSimulate())
	return cmd
}
