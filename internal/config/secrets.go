package config

import (
	"errors"
	"strings"
)

const (
	// mask replaces hidden text.
	mask = "***"
	// goMask is what earlier versions printed for a password, as url.Redacted does.
	goMask = "xxxxx"
	// maxShownSegment is the maximum length of a segment of a URL's path that is
	// shown: the URLs of chat services have a secret there.
	maxShownSegment = 15
)

// errMasked is returned for a value that was copied from printed output.
var errMasked = errors.New("has " + mask + " where a secret was: `edgelens config` does not print secrets; put the real value there")

// secretValue is not shown.
type secretValue struct{ textValue }

func secret(p *string) value { return secretValue{textValue{p}} }

func (v secretValue) Set(s string) error {
	if strings.Contains(s, mask) {
		return errMasked
	}
	return v.textValue.Set(s)
}

func (v secretValue) String() string {
	if *v.p == "" {
		return ""
	}
	return mask
}

// secretURLValue is a URL, or a folder, whose user, password, query and fragment
// are not shown.
type secretURLValue struct{ textValue }

func secretURL(p *string) value { return secretURLValue{textValue{p}} }

func (v secretURLValue) Set(s string) error {
	user, _, _ := userOf(s)
	if strings.Contains(s, mask) || user == goMask || strings.HasSuffix(user, ":"+goMask) {
		return errMasked
	}
	return v.textValue.Set(s)
}

func (v secretURLValue) String() string { return maskURL(*v.p) }

// maskURL puts the mask in place of anything that may be a secret in a URL. It
// accepts any text: an invalid URL may have a secret in the wrong place. A text
// without "://" is a path, and shown, unless it has a user.
func maskURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		isPath := strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") || strings.HasPrefix(text, ".")
		if !isPath && strings.ContainsAny(text, "@?") {
			return mask
		}
		return text
	}
	rest, _, fragment := strings.Cut(rest, "#")
	// A password may contain characters that end a host: an unescaped / or ?.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if strings.ContainsAny(rest[:at], "/?") {
			return scheme + "://" + mask
		}
		rest = mask + rest[at:]
	} else if fragment && strings.Contains(text[strings.IndexByte(text, '#'):], "@") {
		return scheme + "://" + mask
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	host, path, hasPath := strings.Cut(rest, "/")
	shown := scheme + "://" + host
	if hasPath {
		shown += "/" + maskPath(scheme, path)
	}
	if hasQuery {
		shown += "?" + maskQuery(query)
	}
	if fragment {
		shown += "#" + mask
	}
	return shown
}

// maskPath hides the segments of a path that are long enough to be a secret; the
// path of a socket has folder names, and is shown.
func maskPath(scheme, path string) string {
	if scheme == "unix" || strings.HasSuffix(scheme, "-socket") || scheme == "file" {
		return path
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if len(part) > maxShownSegment {
			parts[i] = mask
		}
	}
	return strings.Join(parts, "/")
}

// maskQuery hides every value, and parts without a name.
func maskQuery(query string) string {
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, pair := range pairs {
		name, _, ok := strings.Cut(pair, "=")
		if !ok {
			pairs[i] = mask
			continue
		}
		pairs[i] = name + "=" + mask
	}
	return strings.Join(pairs, "&")
}

// userOf returns the part before the @ of a URL's host.
func userOf(text string) (user, rest string, ok bool) {
	_, after, ok := strings.Cut(text, "://")
	if !ok {
		return "", text, false
	}
	authority, _, _ := strings.Cut(after, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return "", after, false
	}
	return authority[:at], authority[at+1:], true
}
