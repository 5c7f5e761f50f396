package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"edgelens/internal/app"
	"edgelens/internal/cluster/manifesttest"
	"edgelens/internal/config"
)

func serviceOf(t *testing.T, more string) Service {
	t.Helper()
	s, err := parseService([]byte(minimal + "namespace: edgelens\n" + more))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decoded returns the objects of a service, decoded strictly, by "Kind name".
func decoded(t *testing.T, s Service) map[string]runtime.Object {
	t.Helper()
	all := map[string]runtime.Object{}
	for _, target := range s.objects() {
		all[target.object.GetKind()+" "+target.object.GetName()] = manifesttest.Decode(t, target.object.Object)
	}
	return all
}

func TestDeployment(t *testing.T) {
	all := decoded(t, serviceOf(t, ""))
	d, ok := all["Deployment edgelens"].(*appsv1.Deployment)
	if !ok {
		t.Fatalf("%v", all)
	}
	if update := d.Spec.Strategy.RollingUpdate; update.MaxUnavailable.IntValue() != 0 || update.MaxSurge.IntValue() != 1 || *d.Spec.Replicas != 2 {
		t.Errorf("%+v", d.Spec.Strategy)
	}
	checkPod(t, d.Spec.Template)
	if budget := all["PodDisruptionBudget edgelens"].(*policyv1.PodDisruptionBudget); budget.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("%+v", budget.Spec)
	}
	service := all["Service edgelens"].(*corev1.Service)
	if port := service.Spec.Ports[0]; port.Port != 8080 || !manifesttest.HasPort(d.Spec.Template.Spec.Containers[0], port.TargetPort) {
		t.Errorf("%+v", port)
	}
	memory := d.Spec.Template.Spec.Containers[0].Resources.Limits.Memory()
	if memory.Value() != 1<<30 {
		t.Errorf("memory %s", memory)
	}
}

func TestStatefulSet(t *testing.T) {
	all := decoded(t, serviceOf(t, "storage: 5Gi\nsettings: {recognize.quality: all, mqtt.url: \"mqtt://broker\"}\nsecrets: {redis.url: edgelens-redis/url}\n"))
	set, ok := all["StatefulSet edgelens"].(*appsv1.StatefulSet)
	if !ok || all["Deployment edgelens"] != nil {
		t.Fatalf("%v", all)
	}
	if storage := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]; storage.Value() != 5<<30 {
		t.Errorf("%+v", set.Spec.VolumeClaimTemplates)
	}
	if all["Service "+set.Spec.ServiceName] == nil {
		t.Errorf("there is no Service %s", set.Spec.ServiceName)
	}
	checkPod(t, set.Spec.Template)
	env := set.Spec.Template.Spec.Containers[0].Env
	if !slices.ContainsFunc(env, func(e corev1.EnvVar) bool {
		return e.Name == "EDGELENS_REDIS_URL" && e.Value == "" && e.ValueFrom.SecretKeyRef.Name == "edgelens-redis" && e.ValueFrom.SecretKeyRef.Key == "url"
	}) {
		t.Errorf("%+v", env)
	}
	if !slices.ContainsFunc(env, func(e corev1.EnvVar) bool { return e.Name == "EDGELENS_MQTT_URL" && e.Value == "mqtt://broker" }) {
		t.Errorf("%+v", env)
	}
}

// checkPod checks a pod, that its variables are settings, and that it has the time that stopping takes.
func checkPod(t *testing.T, template corev1.PodTemplateSpec) {
	t.Helper()
	manifesttest.CheckPod(t, template.Spec)
	c := template.Spec.Containers[0]
	loaded, err := config.Load(pflag.NewFlagSet("test", pflag.ContinueOnError), append(manifesttest.Environment(t, c, nil), "EDGELENS_DATA_DIR="+t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if loaded.HTTP.Listen != ":8080" || loaded.InternalListen != ":9090" || loaded.Access.KeysFile != "/etc/edgelens/keys/keys.yaml" {
		t.Errorf("%+v %+v", loaded.HTTP, loaded.Access)
	}
	if needed := loaded.StopDrain + app.StopTimeout + 15*time.Second; time.Duration(*template.Spec.TerminationGracePeriodSeconds)*time.Second < needed {
		t.Errorf("it is killed after %d s, and stopping takes up to %s", *template.Spec.TerminationGracePeriodSeconds, needed)
	}
	if probe := c.ReadinessProbe; time.Duration(probe.PeriodSeconds*probe.FailureThreshold+probe.TimeoutSeconds)*time.Second >= loaded.StopDrain {
		t.Errorf("the drain of %s is over before the probe %+v fails", loaded.StopDrain, probe)
	}
}
