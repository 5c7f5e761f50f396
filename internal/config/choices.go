package config

// choices are the values that a setting may have, where there are few, for the completion of command lines.
var choices = map[string][]string{
	"log_level":              {"debug", "info", "warn", "error"},
	"log_format":             {"text", "json"},
	"recognize.quality":      {"off", "terminals", "all"},
	"inference.runtime":      {"auto", "tflite", "litert"},
	"inference.accelerators": {"gpu"},
	"inference.delegate":     {"auto", "none"},
	"preprocess.fit":         {"center", "stretch", "sweep", "pad"},
	"decode.isolation":       {"auto", "require", "off"},
	"http.tls.client_auth":   {"optional", "require"},
	"mqtt.tls.client_auth":   {"off", "optional", "require"},
	"terminal.unknown":       {"accept", "quarantine", "refuse"},
	"fungxi.ack":             {"none", "echo"},
	"webhook.records":        {"passed", "all"},
	"webhook.image":          {"base64", "data_uri", "none"},
}

// Choices returns the values of the settings that have few, by the names of their flags.
func Choices() map[string][]string {
	byFlag := map[string][]string{}
	for key, values := range choices {
		byFlag[setting{key: key}.flag()] = values
	}
	return byFlag
}
