// Command recognize recognizes images with edgelens. It needs nothing but Go's standard library.
//
//	go run ./examples/go/recognize cat.jpg
//	EDGELENS_SERVER=http://192.168.1.20:8080 EDGELENS_KEY=elk_... go run ./examples/go/recognize *.jpg
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	tries   = 5
	maxWait = 30 * time.Second
)

// answer is what the service finds in an image; a problem (RFC 9457) has a Detail.
type answer struct {
	Predictions []struct {
		Label       string
		Probability float64
	}
	Detail string
}

func main() {
	server, key := cmp.Or(os.Getenv("EDGELENS_SERVER"), "http://127.0.0.1:8080"), os.Getenv("EDGELENS_KEY")
	status := 0
	for _, path := range os.Args[1:] {
		found, err := recognize(server, key, path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			status = 1
			continue
		}
		label, probability := "nothing", 0.0
		if len(found.Predictions) > 0 {
			label, probability = found.Predictions[0].Label, found.Predictions[0].Probability
		}
		fmt.Printf("%s\t%s\t%.2f\n", path, label, probability)
	}
	os.Exit(status)
}

// recognize sends a file. A busy service is asked again, when it asks for it.
func recognize(server, key, path string) (found answer, err error) {
	image, err := os.ReadFile(path)
	if err != nil {
		return answer{}, err
	}
	client := http.Client{Timeout: time.Minute}
	for attempt := 1; ; attempt++ {
		request, err := http.NewRequest(http.MethodPost, server+"/api/recognize", bytes.NewReader(image))
		if err != nil {
			return answer{}, err
		}
		request.Header.Set("Content-Type", "application/octet-stream")
		if key != "" {
			request.Header.Set("Authorization", "Bearer "+key)
		}
		response, err := client.Do(request)
		if err != nil {
			return answer{}, err
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return answer{}, err
		}
		found = answer{}
		if err := json.Unmarshal(body, &found); err != nil {
			return answer{}, fmt.Errorf("the server answers %s", response.Status)
		}
		busy := response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusTooManyRequests
		switch {
		case response.StatusCode == http.StatusOK:
			return found, nil
		case !busy || attempt == tries:
			return answer{}, errors.New(found.Detail)
		}
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil {
			seconds = 1
		}
		time.Sleep(min(maxWait, time.Duration(seconds)*time.Second))
	}
}
