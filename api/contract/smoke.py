"""Smoke test of the client that openapi-python-client generates.

    smoke.py FOLDER ADDRESS IMAGE DEVICE KEY

FOLDER holds the package edgelens_client; DEVICE is one that the service has
received a message from, KEY the token of a key with the scope admin.
"""
import base64
import io
import sys

folder, address, image_path, device, key = sys.argv[1:]
sys.path.insert(0, folder)

from edgelens_client import AuthenticatedClient
from edgelens_client.api.devices import change_device, get_command, list_devices, send_command, send_to_default
from edgelens_client.api.jobs import get_job, get_result_image, list_jobs, list_results, recognize_async
from edgelens_client.api.models import get_model, list_models
from edgelens_client.api.operation import healthz, login
from edgelens_client.api.recognition import recognize
from edgelens_client.models import DeviceChange, DeviceState, ImageJSON, JobStatus, LoginBody, Outcome, RecognizeFilesBody, SendCommandBody, SendToDefaultBody
from edgelens_client.types import File

client = AuthenticatedClient(base_url=address, token=key, timeout=60, raise_on_unexpected_status=True)
image = open(image_path, 'rb').read()


def file():
    return File(payload=io.BytesIO(image), file_name='image.bmp', mime_type='image/bmp')


def body(values, kind):
    made = kind()
    made.additional_properties = values
    return made


def check(what, ok, seen):
    if not ok:
        sys.exit('%s: %s' % (what, seen))


for what, sent in {
    'form': RecognizeFilesBody(file=file(), top_k=1), 'JSON': ImageJSON(image=base64.b64encode(image).decode(), top_k=1), 'bytes': file(),
}.items():
    answer = recognize.sync(client=client, body=sent)
    check('recognize by ' + what, len(answer.predictions) == (3 if what == 'bytes' else 1), answer)
answer = recognize.sync(client=client, body=ImageJSON(image=base64.b64encode(image).decode()), top_k=2, cache=False)
check('options in the query', len(answer.predictions) == 2, answer)

accepted = recognize_async.sync(client=client, body=file())
job = get_job.sync(accepted.task_id, client=client, wait='30s')
check('job', job.status == JobStatus.SUCCEEDED, job)
check('jobs', list_jobs.sync(client=client, limit=1).jobs, 'none')
results = list_results.sync(client=client, outcome=Outcome.RECOGNIZED).results or list_results.sync(client=client).results
kept = get_result_image.sync(results[0].id, client=client)
check('image of a result', kept.payload.read() == image, results[0])

check('devices', device in [d.id for d in list_devices.sync(client=client).devices], device)
changed = change_device.sync(device, client=client, body=DeviceChange(state=DeviceState.ACCEPTED))
check('change', changed.state == DeviceState.ACCEPTED, changed)
command = send_command.sync(device, client=client, body=body({'cmd': 'open'}, SendCommandBody), ttl='30s')
check('command', get_command.sync(device, command.command_id, client=client).device == device, command)
check('POST /', send_to_default.sync(client=client, body=body({'cmd': 'open'}, SendToDefaultBody)) == 'ok', 'not ok')

model = list_models.sync(client=client).models[0]
check('model', get_model.sync(model.name, client=client).name == model.name, model)
session = login.sync_detailed(client=client, body=LoginBody(key=key))
check('login', session.status_code == 303 and 'edgelens_session=' in session.headers['Set-Cookie'], session.status_code)
check('health', healthz.sync(client=client).status == 'ok', 'not ok')
