package edgelens

// Setting is one setting in force. It has no secret: a value that is one, or points to one, is masked.
type Setting struct {
	// Key is its name in edgelens.yaml, and Help describes it.
	Key, Help string
	// Type is "string", "int", "float", "bool" or "duration".
	Type string
	// Value and Default are as in edgelens.yaml.
	Value, Default string
	// Masked reports that a mask is in Value.
	Masked bool
	Source SettingSource
}

// SettingSource is where a setting was set.
type SettingSource string

// The sources of settings.
const (
	SettingDefault SettingSource = "default"
	SettingFile    SettingSource = "file"
	SettingEnviron SettingSource = "environment"
	SettingFlag    SettingSource = "flag"
	SettingDerived SettingSource = "derived" // from other settings
)
