"""Every projection there is. Whoever adds a file here adds a line below."""

from __future__ import annotations

from lifecycle.projections.consents import Consents
from lifecycle.projections.duties import Duties
from lifecycle.projections.given_under import GivenUnder
from lifecycle.projections.holdings import Holdings
from lifecycle.projections.incidents import Incidents
from lifecycle.projections.open_calendar import OpenCalendar
from lifecycle.projections.policy_versions import PolicyVersions
from lifecycle.projections.projection import Projection
from lifecycle.projections.recipients import Recipients
from lifecycle.projections.requests import Requests
from lifecycle.projections.retention_calendar import RetentionCalendar
from lifecycle.projections.transfers import Transfers
from lifecycle.projections.trustees import Trustees

PROJECTIONS: tuple[Projection, ...] = (
    Holdings(),
    Consents(),
    Recipients(),
    GivenUnder(),
    Duties(),
    RetentionCalendar(),
    Requests(),
    Transfers(),
    OpenCalendar(),
    Trustees(),
    Incidents(),
    PolicyVersions(),
)
