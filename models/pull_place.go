package models

import (
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// place is a possible source of a file: a path or a URL, or the reason why the
// user's value is neither.
type place struct {
	shown string // without passwords and queries, for errors and progress
	path  string
	url   string
	err   error
}

// places returns where to look for a file, in order.
func (p *Puller) places(f File) []place {
	var list []place
	if p.Mirror != "" {
		list = append(list, mirrorSource(p.Mirror, f.Name))
	}
	if f.Source != "" {
		list = append(list, urlSource(f.Source))
	}
	return list
}

func mirrorSource(mirror, file string) place {
	if !strings.Contains(mirror, "://") {
		path := filepath.Join(mirror, file)
		return place{shown: path, path: path}
	}
	base, err := url.Parse(mirror)
	if err != nil {
		return place{shown: "the mirror", err: errors.New("its URL cannot be read")} // the error would show its password
	}
	switch {
	case base.Scheme == "file" && (base.Host == "" || base.Host == "localhost"):
		path := filepath.Join(filepath.FromSlash(base.Path), file)
		return place{shown: path, path: path}
	case (base.Scheme == "http" || base.Scheme == "https") && base.Host != "":
		return urlSource(base.JoinPath(url.PathEscape(file)).String())
	}
	return place{shown: showURL(base), err: errors.New("a mirror is a folder, a file:///folder URL or an http(s) URL")}
}

func urlSource(address string) place {
	u, err := url.Parse(address)
	if err != nil {
		return place{shown: "the source", err: errors.New("its URL cannot be read")}
	}
	return place{shown: showURL(u), url: address}
}

// showURL omits possible secrets: the password and the query.
func showURL(u *url.URL) string {
	c := *u
	c.RawQuery, c.Fragment = "", ""
	return c.Redacted()
}

var (
	errPlainRedirect = errors.New("it redirects from https to http, which is refused")
	errManyRedirects = errors.New("it redirects more than 10 times")
)

// client returns the client to use and a function to release it.
func (p *Puller) client() (*http.Client, func()) {
	client, done := &http.Client{}, func() {}
	if p.Client != nil {
		*client = *p.Client
	} else {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		client.Transport, done = transport, transport.CloseIdleConnections
	}
	next := client.CheckRedirect
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https":
			return errPlainRedirect
		case next != nil:
			return next(req, via)
		case len(via) >= 10:
			return errManyRedirects
		}
		return nil
	}
	return client, done
}
