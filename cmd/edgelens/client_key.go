package main

import (
	"github.com/spf13/pflag"

	"edgelens/internal/client"
	"edgelens/internal/config"
)

// keyFlag is the flag of commands that call a service with a key.
type keyFlag struct{ file string }

func (k *keyFlag) add(flags *pflag.FlagSet) {
	flags.StringVar(&k.file, "key-file", "", "file with the key for the service (default: the environment variable "+config.EnvKey+", if it is set)")
}

// read returns the key, or "".
func (k *keyFlag) read(environ []string) (string, error) {
	return client.ReadKey(k.file, environ, config.EnvKey)
}
