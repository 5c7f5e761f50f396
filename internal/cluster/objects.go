package cluster

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// statusPort serves health and metrics.
	statusPort = 9090
	// statusName is its name, by which Nodes finds it.
	statusName = "status"
	// containerName is the name of the one container.
	containerName = "edgelens"
	// user is that of the image.
	user = 10001
	// drain is for how long a pod that is to stop serves on, while load balancers take note; grace is until it is killed: drain,
	// twice that while requests arrive, the end of requests (9 s), Redis, and some more.
	drain = "10s"
	grace = 60
	// nameLabel is on everything of edgelens, and instanceLabel has the name of a service.
	nameLabel     = "app.kubernetes.io/name"
	instanceLabel = "app.kubernetes.io/instance"
	appName       = "edgelens"
	keysFolder    = "/etc/edgelens/keys"
)

// ours are the settings that Apply sets.
var ours = []string{"listen", "http.internal_listen", "http.keys_file", "stop.drain", "data_dir"}

type (
	object = map[string]any
	list   = []any
)

// target is an object with where it is written.
type target struct {
	resource schema.GroupVersionResource
	object   *unstructured.Unstructured
}

// objects returns what a service is made of, in the order in which it is written. Pods come last: what they need is there.
func (s Service) objects() []target {
	all := []target{{services, s.serviceObject()}}
	if s.Storage != "" {
		all = append(all, target{services, s.headless()})
	}
	if s.Replicas > 1 {
		all = append(all, target{budgets, s.budget()})
	}
	return append(all, target{s.workload(), s.workloadObject()})
}

// workload is the resource that has the pods: with a volume for each, a StatefulSet.
func (s Service) workload() schema.GroupVersionResource {
	if s.Storage != "" {
		return statefulSets
	}
	return deployments
}

func (s Service) selector() object { return object{nameLabel: appName, instanceLabel: s.Name} }

func (s Service) named(apiVersion, kind, name string, spec object) *unstructured.Unstructured {
	labels := s.selector()
	labels["app.kubernetes.io/managed-by"] = "edgelens"
	return &unstructured.Unstructured{Object: object{
		"apiVersion": apiVersion, "kind": kind, "spec": spec,
		"metadata": object{"name": name, "namespace": s.Namespace, "labels": labels},
	}}
}

func (s Service) serviceObject() *unstructured.Unstructured {
	return s.named("v1", "Service", s.Name, object{
		"selector": s.selector(),
		// A job is known to the pod that accepted it alone, so a client stays with one.
		"sessionAffinity": "ClientIP",
		"ports":           list{object{"name": "http", "port": int64(s.Port), "targetPort": "http", "protocol": "TCP"}},
	})
}

// headless names the pods of a StatefulSet.
func (s Service) headless() *unstructured.Unstructured {
	return s.named("v1", "Service", s.headlessName(), object{
		"clusterIP": "None", "publishNotReadyAddresses": true, "selector": s.selector(),
		"ports": list{object{"name": statusName, "port": int64(statusPort), "targetPort": statusName, "protocol": "TCP"}},
	})
}

func (s Service) headlessName() string { return s.Name + "-nodes" }

func (s Service) budget() *unstructured.Unstructured {
	return s.named("policy/v1", "PodDisruptionBudget", s.Name, object{
		"maxUnavailable": int64(1), "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": object{"matchLabels": s.selector()},
	})
}

func (s Service) workloadObject() *unstructured.Unstructured {
	spec := object{
		"replicas": int64(s.Replicas), "selector": object{"matchLabels": s.selector()},
		"template": object{"metadata": object{"labels": s.selector()}, "spec": s.podSpec()},
	}
	if s.Storage == "" {
		// A new pod is ready before an old one ends.
		spec["strategy"] = object{"type": "RollingUpdate", "rollingUpdate": object{"maxUnavailable": int64(0), "maxSurge": int64(1)}}
		return s.named("apps/v1", "Deployment", s.Name, spec)
	}
	spec["serviceName"] = s.headlessName()
	spec["podManagementPolicy"] = "Parallel"
	spec["updateStrategy"] = object{"type": "RollingUpdate"}
	spec["persistentVolumeClaimRetentionPolicy"] = object{"whenDeleted": "Retain", "whenScaled": "Retain"}
	spec["volumeClaimTemplates"] = list{object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": object{"name": "data"},
		"spec": object{"accessModes": list{"ReadWriteOnce"}, "resources": object{"requests": object{"storage": s.Storage}}},
	}}
	return s.named("apps/v1", "StatefulSet", s.Name, spec)
}

func (s Service) podSpec() object {
	return object{
		// Without this, Kubernetes sets EDGELENS_PORT and others for a service of that name, and edgelens refuses unknown settings.
		"enableServiceLinks": false, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": int64(grace),
		"securityContext": object{
			"runAsNonRoot": true, "runAsUser": int64(user), "runAsGroup": int64(user), "fsGroup": int64(user),
			"fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": object{"type": "RuntimeDefault"},
		},
		"topologySpreadConstraints": list{object{
			"maxSkew": int64(1), "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": object{"matchLabels": s.selector()},
		}},
		"containers": list{s.container()},
		"volumes":    s.volumes(),
	}
}

func (s Service) container() object {
	resources := object{"memory": s.Memory, "cpu": s.CPU}
	mounts := list{object{"name": "data", "mountPath": "/var/lib/edgelens"}, object{"name": "tmp", "mountPath": "/tmp"}}
	if s.Keys != "" {
		mounts = append(mounts, object{"name": "keys", "mountPath": keysFolder, "readOnly": true})
	}
	return object{
		"name": containerName, "image": s.Image, "imagePullPolicy": "IfNotPresent", "env": s.environment(),
		"ports": list{
			object{"name": "http", "containerPort": int64(s.Port), "protocol": "TCP"},
			object{"name": statusName, "containerPort": int64(statusPort), "protocol": "TCP"},
		},
		// The first start fetches the model before it answers.
		"startupProbe": probe("/healthz", 2, 5, 150),
		// It fails before the drain ends.
		"readinessProbe": probe("/readyz", 3, 3, 2),
		"livenessProbe":  probe("/healthz", 10, 5, 6),
		"resources":      object{"requests": resources, "limits": maps.Clone(resources)},
		// The last lines of the log are in the state of a pod that does not start, where Report finds them.
		"terminationMessagePolicy": "FallbackToLogsOnError",
		"securityContext": object{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": object{"drop": list{"ALL"}},
		},
		"volumeMounts": mounts,
	}
}

func probe(path string, period, timeout, failures int64) object {
	return object{
		"httpGet": object{"path": path, "port": statusName}, "periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures,
	}
}

func (s Service) volumes() list {
	data := object{"name": "data", "emptyDir": object{}}
	all := list{object{"name": "tmp", "emptyDir": object{"sizeLimit": "64Mi"}}}
	if s.Storage == "" {
		all = append(all, data)
	}
	if s.Keys != "" {
		all = append(all, object{"name": "keys", "secret": object{"secretName": s.Keys, "defaultMode": int64(0o440)}})
	}
	return all
}

// environment returns the settings as variables, in a stable order, so that the same service gives the same pods.
func (s Service) environment() list {
	settings := map[string]string{
		"listen": ":" + strconv.Itoa(s.Port), "http.internal_listen": ":" + strconv.Itoa(statusPort), "stop.drain": drain, "log_format": "json",
		"http.allowed_hosts": s.hosts(),
		// A private broker would be reached by no terminal; mqtt.url names another one.
		"mqtt.listen": "",
	}
	if s.Keys != "" {
		settings["http.keys_file"] = keysFolder + "/keys.yaml"
	}
	maps.Copy(settings, s.Settings)
	var all list
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if _, secret := s.Secrets[key]; !secret {
			all = append(all, object{"name": variable(key), "value": settings[key]})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Secrets)) {
		secret, in, _ := strings.Cut(s.Secrets[key], "/")
		all = append(all, object{"name": variable(key), "valueFrom": object{"secretKeyRef": object{"name": secret, "key": in}}})
	}
	return all
}

// hosts are the names by which pods of the cluster reach the service.
func (s Service) hosts() string {
	in := s.Name + "." + s.Namespace
	return strings.Join([]string{s.Name, in, in + ".svc", in + ".svc.cluster.local"}, ",")
}

// variable returns the environment variable of a setting (docs/configuration.md).
func variable(key string) string {
	return "EDGELENS_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}
