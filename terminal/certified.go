package terminal

import "edgelens/terminal/dialect"

// noCertificate is the reason for a message of a device without a certificate, where one is needed.
const noCertificate = "The device has no valid certificate, and terminal.require_certificate demands one: `edgelens device enroll` makes it. Or the device seals its messages."

// certifies returns what decides whether a device is believed; everything is where no certificate is needed.
func (p Parts) certifies(config Config) func(device string) bool {
	switch {
	case !config.RequireCertificate:
		return func(string) bool { return true }
	case p.Certified == nil:
		return func(string) bool { return false }
	}
	return p.Certified
}

// believed reports whether the content of a message is processed, and accounts for one of a device that has no certificate and
// needs one: nothing of it is stored, answered or shown as a sign of life. A sealed message proves as much as a certificate.
func (i *intake) believed(msg item, message dialect.Message) bool {
	device := message.Device
	if device == "" {
		device = msg.device
	}
	if i.certified(device) || msg.proven != "" && msg.proven == device {
		return true
	}
	i.notUnderstood.uncertified(msg, device)
	return false
}
