package state

import "fmt"

// Config is the configuration of a Monitor.
type Config struct {
	// List has the states, as ParseSpecs takes them; empty for none.
	List string
}

// Validate returns what is wrong with the settings.
func (c Config) Validate() error {
	_, err := ParseSpecs(c.List)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return nil
}
