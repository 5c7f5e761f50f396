package main

import (
	"github.com/spf13/cobra"

	"edgelens/internal/config"
)

func newDevice(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "Add the keys of devices, and seal and open their messages"}
	config.AddFlags(cmd.PersistentFlags(), "data_dir")
	cmd.AddCommand(newDeviceKey(environ), newDeviceSeal(), newDeviceOpen(environ))
	return cmd
}
