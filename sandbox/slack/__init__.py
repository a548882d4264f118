"""The simulated Slack: a workspace behind the Web API, Socket Mode and signed HTTP requests."""

from sandbox.slack.faults import Fault
from sandbox.slack.interactions import Interaction
from sandbox.slack.server import Slack
from sandbox.slack.state import Channel, Edit, Ephemeral, Message, Shortcut, User, View, Workspace
from sandbox.slack.web_api import Call

__all__ = [
    "Call",
    "Channel",
    "Edit",
    "Ephemeral",
    "Fault",
    "Interaction",
    "Message",
    "Shortcut",
    "Slack",
    "User",
    "View",
    "Workspace",
]
