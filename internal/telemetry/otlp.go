package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"edgelens"
)

// maxCollectorReply is the maximum number of bytes of a collector's reply that are read.
const maxCollectorReply = 64 << 10

// sender sends spans by OTLP over HTTP, in protobuf (OpenTelemetry Protocol 1.x).
type sender struct {
	url      string
	headers  http.Header
	resource *resource.Resource
	client   *http.Client
}

func newSender(config TracesConfig, service Service) (*sender, error) {
	target, err := config.url()
	if err != nil {
		return nil, err
	}
	headers, err := config.headers()
	if err != nil {
		return nil, err
	}
	headers.Set("Content-Type", "application/x-protobuf")
	headers.Set("Content-Encoding", "gzip")
	headers.Set("User-Agent", "edgelens/"+service.Version)
	return &sender{url: target, headers: headers, resource: resourceOf(service), client: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxCollectorReply},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// resourceOf describes the process, by the names of OpenTelemetry's semantic conventions.
func resourceOf(service Service) *resource.Resource {
	attributes := []slog.Attr{slog.String("service.name", "edgelens"), slog.String("service.version", service.Version)}
	if service.Node != "" {
		attributes = append(attributes, slog.String("service.instance.id", service.Node))
	}
	if host, err := os.Hostname(); err == nil {
		attributes = append(attributes, slog.String("host.name", host))
	}
	return &resource.Resource{Attributes: attributesOf(attributes)}
}

// collectorError is the answer of a collector that did not take a batch.
type collectorError struct{ status int }

func (e *collectorError) Error() string {
	return fmt.Sprintf("the collector answers %d %s", e.status, http.StatusText(e.status))
}

// mayPass reports whether a batch that could not be sent may be sent again: by the specification, after these statuses, and
// where there was no answer.
func mayPass(err error) bool {
	var refused *collectorError
	if !errors.As(err, &refused) {
		return !errors.Is(err, context.Canceled)
	}
	switch refused.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// send sends a batch, and returns how many of its spans the collector rejected.
func (s *sender) send(ctx context.Context, batch []edgelens.Span) (rejected int, err error) {
	body, err := s.encode(batch)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		return 0, withoutURL(err)
	}
	maps.Copy(request.Header, s.headers)
	reply, err := s.client.Do(request)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxCollectorReply))
	if err != nil {
		return 0, withoutURL(err)
	}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return 0, &collectorError{reply.StatusCode}
	}
	return min(rejectedSpans(text), len(batch)), nil
}

// withoutURL removes the address, which may hold a password, from an error.
func withoutURL(err error) error {
	var problem *url.Error
	if errors.As(err, &problem) {
		return problem.Err
	}
	return err
}

// encode returns a batch as ExportTraceServiceRequest, of which TracesData is the form without gRPC.
func (s *sender) encode(batch []edgelens.Span) (io.Reader, error) {
	spans := make([]*trace.Span, len(batch))
	for i := range batch {
		spans[i] = spanOf(&batch[i])
	}
	text, err := proto.Marshal(&trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   s.resource,
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "edgelens"}, Spans: spans}},
	}}})
	if err != nil {
		return nil, fmt.Errorf("encode spans: %w", err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("encode spans: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode spans: %w", err)
	}
	return &packed, nil
}

var spanKinds = map[edgelens.SpanKind]trace.Span_SpanKind{
	edgelens.SpanInternal: trace.Span_SPAN_KIND_INTERNAL, edgelens.SpanServer: trace.Span_SPAN_KIND_SERVER, edgelens.SpanClient: trace.Span_SPAN_KIND_CLIENT,
	edgelens.SpanProducer: trace.Span_SPAN_KIND_PRODUCER, edgelens.SpanConsumer: trace.Span_SPAN_KIND_CONSUMER,
}

func spanOf(s *edgelens.Span) *trace.Span {
	span := &trace.Span{
		TraceId: fromHex(s.Trace.ID()), SpanId: fromHex(s.Trace.Span()), ParentSpanId: fromHex(s.Parent.Span()), Flags: 1,
		Name: s.Name, Kind: spanKinds[s.Kind], StartTimeUnixNano: uint64(s.Start.UnixNano()), EndTimeUnixNano: uint64(max(s.End.UnixNano(), s.Start.UnixNano())),
		Attributes: attributesOf(s.Attributes),
	}
	if s.Failure != "" {
		span.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: s.Failure}
		span.Attributes = append(span.Attributes, attributeOf(slog.String("error.type", s.Failure)))
	}
	return span
}

// fromHex decodes an id; it is nil for none.
func fromHex(text string) []byte {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) == 0 {
		return nil
	}
	return id
}

// attributesOf leaves out those without a value.
func attributesOf(attributes []slog.Attr) []*common.KeyValue {
	all := make([]*common.KeyValue, 0, len(attributes))
	for _, a := range attributes {
		if a.Value.Kind() != slog.KindString || a.Value.String() != "" {
			all = append(all, attributeOf(a))
		}
	}
	return all
}

func attributeOf(a slog.Attr) *common.KeyValue {
	value := &common.AnyValue{}
	switch a.Value.Kind() {
	case slog.KindInt64:
		value.Value = &common.AnyValue_IntValue{IntValue: a.Value.Int64()}
	case slog.KindFloat64:
		value.Value = &common.AnyValue_DoubleValue{DoubleValue: a.Value.Float64()}
	case slog.KindBool:
		value.Value = &common.AnyValue_BoolValue{BoolValue: a.Value.Bool()}
	default:
		value.Value = &common.AnyValue_StringValue{StringValue: a.Value.String()}
	}
	return &common.KeyValue{Key: a.Key, Value: value}
}

// The numbers of the fields of ExportTraceServiceResponse and of the message in it.
const (
	fieldPartialSuccess = 1
	fieldRejectedSpans  = 1
)

// rejectedSpans returns how many spans a collector has rejected of a batch that it took, by its reply in protobuf. A reply that
// is not understood, such as one in JSON, has none.
func rejectedSpans(reply []byte) int {
	partial := field(reply, fieldPartialSuccess, protowire.BytesType)
	content, n := protowire.ConsumeBytes(partial)
	if n < 0 {
		return 0
	}
	count, n := protowire.ConsumeVarint(field(content, fieldRejectedSpans, protowire.VarintType))
	if n < 0 || count > maxSpans {
		return 0
	}
	return int(count)
}

// field returns a message from the value of a field on; nil where it has none of that type.
func field(message []byte, wanted protowire.Number, of protowire.Type) []byte {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if number == wanted && kind == of {
			return message
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}
