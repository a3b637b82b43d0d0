"""Event files are what TensorBoard reads: its own messages, and checksums that it checks."""

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter

from training.event_file import EventFile


def test_records_are_events_with_the_checksums_of_the_reference_writer(tmp_path):
    file = EventFile(str(tmp_path / "events"))
    file.start(0)
    file.start(300)
    file.scalar("loss/validation/seed_0", 0.25, 2**40)
    file.scalar("größe", -1e30, 0)
    file.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    content, messages = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        messages.append(content[12 : 12 + length])
        content = content[16 + length :]
    events = [Event.FromString(message) for message in messages]
    version, start, resumed, loss, size = events
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (0, SessionLog.START)
    assert (resumed.step, resumed.session_log.status) == (300, SessionLog.START)
    assert [(value.tag, value.simple_value) for value in loss.summary.value] == [
        ("loss/validation/seed_0", 0.25)
    ]
    assert (loss.step, size.summary.value[0].tag) == (2**40, "größe")
    assert all(event.wall_time > 1e9 for event in events)

    reference = RecordWriter(str(tmp_path / "reference"))
    for message in messages:
        reference.write(message)
    reference.close()
    assert path.read_bytes() == (tmp_path / "reference").read_bytes()
