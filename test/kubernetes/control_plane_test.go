// Package kubernetes checks deploy/kubernetes and `edgelens cluster` with a real API server (make k8s-check).
package kubernetes

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"edgelens/internal/testutil"
)

// startTimeout bounds the start of the control plane on a busy machine.
const startTimeout = 3 * time.Minute

// forCheck skips where the programs of Kubernetes are not at hand, and returns their folder.
func forCheck(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("EDGELENS_TEST_KUBERNETES")
	if folder == "" {
		t.Skip("it needs the programs of Kubernetes: make k8s-check builds them")
	}
	return folder
}

// controlPlane is a cluster without real nodes.
type controlPlane struct {
	t          *testing.T
	programs   string
	work       string
	kubeconfig string
	signing    string
	objects    dynamic.Interface
}

// startAPIServer starts an API server on an etcd, until the end of the test.
func startAPIServer(t *testing.T, programs string) *controlPlane {
	t.Helper()
	p := &controlPlane{t: t, programs: programs, work: t.TempDir()}
	etcd, peers := "http://"+testutil.FreeAddress(t), "http://"+testutil.FreeAddress(t)
	p.start("etcd", "--data-dir", filepath.Join(p.work, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers, "--unsafe-no-fsync")
	address := testutil.FreeAddress(t)
	p.signing = p.signingKey()
	tokens := p.write("tokens.csv", "secret,admin,admin,system:masters\n")
	p.kubeconfig = p.write("kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: check
contexts: [{name: check, context: {cluster: check, user: admin, namespace: shop}}]
clusters: [{name: check, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: secret}}]
`, address))
	host, port, _ := strings.Cut(address, ":")
	p.start("kube-apiserver", "--etcd-servers", etcd, "--bind-address", host, "--secure-port", port, "--cert-dir", filepath.Join(p.work, "certificates"),
		"--service-cluster-ip-range", "10.0.0.0/24", "--authorization-mode", "RBAC", "--token-auth-file", tokens, "--endpoint-reconciler-type", "none",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", p.signing, "--service-account-signing-key-file", p.signing)
	config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	if p.objects, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	p.until("the API server answers", func() bool {
		_, err := p.objects.Resource(resource("v1", "Namespace")).Get(context.Background(), "kube-system", metav1.GetOptions{})
		return err == nil
	})
	return p
}

// startControllers starts the controllers, the scheduler and the simulated nodes.
func (p *controlPlane) startControllers() {
	p.t.Helper()
	_, controllers, _ := strings.Cut(testutil.FreeAddress(p.t), ":")
	p.start("kube-controller-manager", "--kubeconfig", p.kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1", "--secure-port", controllers,
		"--cert-dir", filepath.Join(p.work, "certificates-of-controllers"), "--service-account-private-key-file", p.signing)
	_, scheduler, _ := strings.Cut(testutil.FreeAddress(p.t), ":")
	p.start("kube-scheduler", "--kubeconfig", p.kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1", "--secure-port", scheduler,
		"--cert-dir", filepath.Join(p.work, "certificates-of-scheduler"))
	p.start("kwok", "--kubeconfig", p.kubeconfig, "--config", "stages.yaml", "--manage-all-nodes=true", "--node-lease-duration-seconds", "40", "--server-address", testutil.FreeAddress(p.t))
}

// start starts a program, and ends it with the test. Its log is shown where the test fails.
func (p *controlPlane) start(name string, args ...string) {
	p.t.Helper()
	path := filepath.Join(p.work, name+".log")
	log, err := os.Create(path)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(p.programs, "bin", name), args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "."
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // killed
		_ = log.Close()        // read below
		if text, err := os.ReadFile(path); err == nil && p.t.Failed() {
			p.t.Logf("the end of %s's log:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
}

func (p *controlPlane) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.work, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *controlPlane) signingKey() string {
	p.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.write("accounts.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
}

// until waits for a condition.
func (p *controlPlane) until(what string, holds func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			p.t.Fatalf("not within %s: %s", startTimeout, what)
		case <-ticker.C:
		}
	}
}

// resource returns the resource of a kind.
func resource(apiVersion, kind string) schema.GroupVersionResource {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		panic(err) // of a test
	}
	plural := strings.ToLower(kind) + "s"
	if stem, ok := strings.CutSuffix(plural, "ys"); ok {
		plural = stem + "ies"
	}
	if stem, ok := strings.CutSuffix(plural, "sss"); ok { // StorageClass
		plural = stem + "sses"
	}
	return version.WithResource(plural)
}

// apply writes objects strictly; those of a kind that was defined just now are tried again.
func (p *controlPlane) apply(objects ...*unstructured.Unstructured) {
	p.t.Helper()
	for _, o := range objects {
		p.until(fmt.Sprintf("%s %s is applied", o.GetKind(), o.GetName()), func() bool {
			err := p.tryApply(o, nil)
			if err != nil && !apierrors.IsNotFound(err) {
				p.t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
			}
			return err == nil
		})
	}
}

func (p *controlPlane) tryApply(o *unstructured.Unstructured, dryRun []string) error {
	data, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	options := metav1.PatchOptions{FieldManager: "check", Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun}
	kind := p.objects.Resource(resource(o.GetAPIVersion(), o.GetKind()))
	if o.GetNamespace() == "" {
		_, err = kind.Patch(context.Background(), o.GetName(), types.ApplyPatchType, data, options)
	} else {
		_, err = kind.Namespace(o.GetNamespace()).Patch(context.Background(), o.GetName(), types.ApplyPatchType, data, options)
	}
	return err
}
