package main

import "github.com/spf13/cobra"

func newSensor(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "sensor", Short: "Erase the values of sensors, or simulate sensors"}
	cmd.AddCommand(newSensorDelete(environ), newSensorSimulate())
	return cmd
}
