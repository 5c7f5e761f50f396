package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// nodeNames are the simulated nodes.
var nodeNames = []string{"alpha", "beta", "gamma"}

// The manifests are accepted strictly and come up; edgelens cluster deploys, updates without a gap, finds what is wrong, and
// reports nodes. The steps build upon one another.
func TestCluster(t *testing.T) {
	p := startAPIServer(t, forCheck(t))
	p.startControllers()
	p.prepare()
	t.Run("manifests", func(t *testing.T) { p.with(t).checkManifests() })
	t.Run("deploys", func(t *testing.T) { p.with(t).checkDeploy() })
	t.Run("updates without a gap", func(t *testing.T) { p.with(t).checkUpdate() })
	t.Run("explains what is wrong", func(t *testing.T) { p.with(t).checkReasons() })
	t.Run("keeps a ledger", func(t *testing.T) { p.with(t).checkStorage() })
	t.Run("reports nodes", func(t *testing.T) { p.with(t).checkNodes() })
}

// The API server accepts every object of both overlays, strictly, those of others' kinds by their own definitions.
func TestManifestsAreAccepted(t *testing.T) {
	p := startAPIServer(t, forCheck(t))
	p.define()
	for _, overlay := range []string{"k3s", "cluster"} {
		p.apply(p.render(overlay)...)
	}
	wrong := object(`{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: wrong, namespace: edgelens}, spec: {scaleTargetRef: {nam: x}, triggers: []}}`)
	if err := p.tryApply(wrong, nil); err == nil || !strings.Contains(err.Error(), "nam") {
		t.Errorf("a member that there is not: %v", err)
	}
}

// with is the cluster for a step.
func (p controlPlane) with(t *testing.T) *controlPlane { p.t = t; return &p }

func object(text string) *unstructured.Unstructured {
	var o map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
		panic(err) // of a test
	}
	return &unstructured.Unstructured{Object: o}
}

// prepare makes nodes, namespaces of the strictest standard, volumes, and the kinds that others define.
func (p *controlPlane) prepare() {
	p.t.Helper()
	for _, name := range nodeNames {
		p.apply(object(fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: %s, labels: {kubernetes.io/hostname: %s}}}`, name, name)))
	}
	p.apply(object(`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}}`))
	p.apply(object(`{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: check, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}, provisioner: kubernetes.io/no-provisioner, volumeBindingMode: Immediate}`))
	for i := range 8 {
		p.apply(object(fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolume, metadata: {name: volume-%d}, spec: {storageClassName: check, capacity: {storage: 5Gi}, accessModes: [ReadWriteOnce], persistentVolumeReclaimPolicy: Retain, hostPath: {path: /nowhere}}}`, i)))
	}
	p.define()
	p.until("the service account of pods is there", func() bool {
		_, err := p.objects.Resource(resource("v1", "ServiceAccount")).Namespace("shop").Get(context.Background(), "default", metav1.GetOptions{})
		return err == nil
	})
}

// define makes the kinds that others define known.
func (p *controlPlane) define() {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.programs, "crds", "*.yaml"))
	if err != nil || len(files) != 3 {
		p.t.Fatalf("definitions of kinds: %q %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		p.apply(object(string(text)))
	}
}

func (p *controlPlane) render(overlay string) (all []*unstructured.Unstructured) {
	p.t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("..", "..", "deploy", "kubernetes", "overlays", overlay))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range rendered.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, object(string(text)))
	}
	return all
}

// checkManifests applies both overlays by the API server's own definitions, strictly, and waits for the pods.
func (p *controlPlane) checkManifests() {
	p.apply(p.render("k3s")...)
	status, out, _ := p.await("status healthy", 0, "status", "-n", "edgelens", "--json")
	if status != 0 {
		return
	}
	if !strings.Contains(out, `"name":"edgelens"`) {
		p.t.Errorf("%s", out)
	}
	p.apply(p.render("cluster")...)
	_, out, _ = p.await("status of the cluster's overlay healthy", 0, "status", "-n", "edgelens", "--json")
	var report struct {
		Services []struct {
			Name, Kind          string
			Replicas, Available int
		}
	}
	p.decode(out, &report)
	if len(report.Services) != 2 || report.Services[0].Kind != "StatefulSet" || report.Services[0].Available != 2 || report.Services[1].Name != "edgelens-workers" || report.Services[1].Available != 1 {
		p.t.Errorf("%s", out)
	}
	// KEDA is not here; what it sets must stay at the next apply.
	p.patch("Deployment", "edgelens-workers", `{"spec":{"replicas":3}}`)
	for _, o := range p.render("cluster") {
		if o.GetKind() == "Deployment" {
			if err := p.tryApply(o, nil); err != nil {
				p.t.Error(err)
			}
		}
	}
	workers, err := p.objects.Resource(resource("apps/v1", "Deployment")).Namespace("edgelens").Get(context.Background(), "edgelens-workers", metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(workers.Object, "spec", "replicas"); n != 3 {
		p.t.Errorf("the apply set the replicas back to %d", n)
	}
}

func (p *controlPlane) patch(kind, name, text string) {
	p.t.Helper()
	if _, err := p.objects.Resource(resource("apps/v1", kind)).Namespace("edgelens").Patch(context.Background(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

const serviceFile = `name: lens
image: edgelens:%s
port: 8080
replicas: %d
memory: %s
cpu: 500m
keys: edgelens-keys
`

// service writes the file of a service.
func (p *controlPlane) service(tag string, replicas int, memory, more string) string {
	return p.write("service.yaml", fmt.Sprintf(serviceFile, tag, replicas, memory)+more)
}

func (p *controlPlane) checkDeploy() {
	status, out, errors := p.edgelens("apply", "--json", p.service("1", 3, "256Mi", ""))
	if status != 0 || !strings.Contains(errors, "Deployment lens: created") || !strings.Contains(errors, "lens: 3 of 3 pods are available") {
		p.t.Fatalf("status %d\n%s%s", status, out, errors)
	}
	if status, out, errors = p.edgelens("apply", p.service("1", 3, "256Mi", "")); status != 0 || !strings.Contains(errors, "Deployment lens: unchanged") {
		p.t.Errorf("again: status %d\n%s%s", status, out, errors)
	}
	if status, out, errors = p.edgelens("status", "lens"); status != 0 || !strings.Contains(out, "3 of 3") {
		p.t.Errorf("status %d\n%s%s", status, out, errors)
	}
	if status, _, errors = p.edgelens("apply", p.service("1", 3, "256Mi", "replica: 3\n")); status != 1 || !strings.Contains(errors, "there is no member replica") {
		p.t.Errorf("unknown member: status %d\n%s", status, errors)
	}
	if status, _, errors = p.edgelens("apply", "-n", "nowhere", p.service("1", 3, "256Mi", "")); status != 1 || !strings.Contains(errors, "kubectl create namespace nowhere") {
		p.t.Errorf("no namespace: status %d\n%s", status, errors)
	}
}

// checkUpdate updates the service, and watches that never fewer pods are available than there should be.
func (p *controlPlane) checkUpdate() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched, err := p.objects.Resource(resource("apps/v1", "Deployment")).Namespace("shop").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=lens"})
	if err != nil {
		p.t.Fatal(err)
	}
	defer watched.Stop()
	fewest, most := make(chan int64), make(chan int64)
	go func() {
		low, high := int64(1000), int64(0)
		for event := range watched.ResultChan() {
			o, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				continue
			}
			available, _, _ := unstructured.NestedInt64(o.Object, "status", "availableReplicas")
			replicas, _, _ := unstructured.NestedInt64(o.Object, "status", "replicas")
			low, high = min(low, available), max(high, replicas)
		}
		fewest <- low
		most <- high
	}()
	status, _, errors := p.edgelens("apply", p.service("2", 3, "256Mi", ""))
	if status != 0 || !strings.Contains(errors, "Deployment lens: updated") || !strings.Contains(errors, "of 3 pods have the new version") {
		p.t.Errorf("status %d\n%s", status, errors)
	}
	watched.Stop()
	if low, high := <-fewest, <-most; low < 3 || high != 4 {
		p.t.Errorf("between %d available and %d pods, want 3 and 4", low, high)
	}
}

// checkReasons deploys what does not come up. The former version serves on.
func (p *controlPlane) checkReasons() {
	for name, test := range map[string]struct {
		tag, memory string
		want        []string
	}{
		"image":  {"missing", "256Mi", []string{"cannot be pulled (ImagePullBackOff)", "check its name"}},
		"memory": {"hungry", "256Mi", []string{"more memory than its limit 256Mi (OOMKilled), restarted 4 times"}},
		"room":   {"2", "64Gi", []string{"no node takes it (Unschedulable)", "Insufficient memory", "give less memory"}},
	} {
		status, out, errors := p.edgelens("apply", "--timeout", "8s", "--json", p.service(test.tag, 3, test.memory, ""))
		for _, words := range append(test.want, "within 8s") {
			if status != 1 || !strings.Contains(errors, words) {
				p.t.Errorf("%s: status %d, without %q:\n%s", name, status, words, errors)
			}
		}
		var report struct {
			Service struct {
				Healthy   bool
				Available int
			}
		}
		p.decode(out, &report)
		if report.Service.Healthy || report.Service.Available != 3 {
			p.t.Errorf("%s: %s", name, out)
		}
		if status, out, _ = p.edgelens("status", "lens"); status != 1 || !strings.Contains(out, test.want[0]) {
			p.t.Errorf("%s: status %d\n%s", name, status, out)
		}
	}
	if status, _, errors := p.edgelens("apply", p.service("3", 3, "256Mi", "")); status != 0 {
		p.t.Errorf("repaired: status %d\n%s", status, errors)
	}
}

// checkStorage deploys a service with volumes, and updates it.
func (p *controlPlane) checkStorage() {
	file := func(tag string) string {
		return p.write("stored.yaml", strings.Replace(fmt.Sprintf(serviceFile, tag, 2, "256Mi"), "name: lens", "name: stored", 1)+"storage: 1Gi\n")
	}
	for _, tag := range []string{"1", "2"} {
		if status, _, errors := p.edgelens("apply", file(tag)); status != 0 || !strings.Contains(errors, "StatefulSet stored") {
			p.t.Errorf("version %s: status %d\n%s", tag, status, errors)
		}
	}
	changed := strings.Replace(fmt.Sprintf(serviceFile, "2", 2, "256Mi"), "name: lens", "name: stored", 1) + "storage: 2Gi\n"
	if status, _, errors := p.edgelens("apply", p.write("stored.yaml", changed)); status != 1 || !strings.Contains(errors, "remove it first, its volumes stay") {
		p.t.Errorf("another size: status %d\n%s", status, errors)
	}
	if status, _, errors := p.edgelens("apply", p.service("3", 3, "256Mi", "storage: 1Gi\n")); status != 1 || !strings.Contains(errors, "delete deployments lens") {
		p.t.Errorf("another kind: status %d\n%s", status, errors)
	}
}

// checkNodes lets a node be well, not ready, short of memory, and throttled.
func (p *controlPlane) checkNodes() {
	_, out, _ := p.await("all nodes are healthy", 0, "nodes", "--json")
	if !strings.Contains(out, `"throttled":"unknown"`) {
		p.t.Errorf("%s", out)
	}
	p.setConditions("beta", map[string]string{"Ready": "False"})
	p.setConditions("gamma", map[string]string{"MemoryPressure": "True", "DiskPressure": "True"})
	throttled := p.throttle("alpha")
	_, out, _ = p.await("nodes are not healthy", 1, "nodes", "--json")
	var report struct {
		Healthy bool
		Nodes   []struct {
			Name, Throttled string
			Healthy         bool
			Reasons         []string
			Celsius         *float64
		}
	}
	p.decode(out, &report)
	for i, want := range [][]string{{"its processor is throttled"}, {"it is not ready"}, {"its memory is nearly used up", "its disk is nearly full"}} {
		if i == 0 && !throttled {
			continue
		}
		n := report.Nodes[i]
		for _, words := range want {
			if n.Name != nodeNames[i] || n.Healthy || !slices.ContainsFunc(n.Reasons, func(reason string) bool { return strings.Contains(reason, words) }) {
				p.t.Errorf("%+v without %q", n, words)
			}
		}
	}
	if n := report.Nodes[0]; throttled && (n.Throttled != "yes" || n.Celsius == nil || *n.Celsius != 85) {
		p.t.Errorf("%s", out)
	}
}

// setConditions changes conditions of a node, as its kubelet would.
func (p *controlPlane) setConditions(node string, conditions map[string]string) {
	p.t.Helper()
	nodes := p.objects.Resource(resource("v1", "Node"))
	found, err := nodes.Get(context.Background(), node, metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	all, _, err := unstructured.NestedSlice(found.Object, "status", "conditions")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range all {
		condition := c.(map[string]any)
		if status, ok := conditions[condition["type"].(string)]; ok {
			condition["status"], condition["reason"], condition["message"] = status, "ForTheCheck", "for the check"
		}
	}
	p.patchStatus("Node", "", node, map[string]any{"conditions": all})
}

func (p *controlPlane) patchStatus(kind, namespace, name string, status map[string]any) {
	p.t.Helper()
	data, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		p.t.Fatal(err)
	}
	client := p.objects.Resource(resource("v1", kind))
	if namespace == "" {
		_, err = client.Patch(context.Background(), name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
	} else {
		_, err = client.Namespace(namespace).Patch(context.Background(), name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// throttle has the pods of edgelens on a node report a throttled processor, as one at an address of this machine. It reports false
// where the API server would reach no such address.
func (p *controlPlane) throttle(node string) bool {
	p.t.Helper()
	address := ownAddress()
	if address == "" {
		p.t.Log("not checked: throttling, as this machine has no address but its loopback's")
		return false
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "9090"))
	if err != nil {
		p.t.Logf("not checked: throttling: %v", err)
		return false
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = fmt.Fprint(w, "edgelens_throttled 1\nedgelens_temperature_celsius 85\n") // the client may be gone
		}
	})}
	go func() { _ = server.Serve(listener) }() // ends below
	p.t.Cleanup(func() { _ = server.Close() })
	pods := p.objects.Resource(resource("v1", "Pod"))
	found, err := pods.List(context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=edgelens", FieldSelector: "spec.nodeName=" + node})
	if err != nil || len(found.Items) == 0 {
		p.t.Fatalf("pods of %s: %v, %v", node, found, err)
	}
	for _, pod := range found.Items {
		p.patchStatus("Pod", pod.GetNamespace(), pod.GetName(), map[string]any{"podIP": address, "podIPs": []any{map[string]any{"ip": address}}})
	}
	return true
}

// ownAddress returns an address of this machine that an API server does not refuse to reach; "" if there is none.
func ownAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}

// await runs a command until it has a status.
func (p *controlPlane) await(what string, want int, args ...string) (status int, out, err string) {
	p.t.Helper()
	p.until(what, func() bool {
		status, out, err = p.edgelens(args...)
		return status == want
	})
	return status, out, err
}

// edgelens runs `edgelens cluster`.
func (p *controlPlane) edgelens(args ...string) (status int, stdout, stderr string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join("..", "..", "bin", "edgelens"), append([]string{"cluster", "--kubeconfig", p.kubeconfig}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (p *controlPlane) decode(text string, into any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		p.t.Fatalf("%v: %q", err, text)
	}
}
