"""The parts of the fake that are about the account: what stands there, who watches."""

from __future__ import annotations

from typing import Any

from tests.finetune.sagemaker.fake_words import NOON, Refusal, arn


class Account:
    """What the fake's account holds beside jobs and endpoints."""

    def __init__(self) -> None:
        self.budgets: dict[str, dict[str, Any]] = {}
        self.subscribers: dict[str, list[dict[str, Any]]] = {}
        self.apps: list[dict[str, Any]] = []
        self.tracking_servers: dict[str, str] = {}
        """Names, and whether they are Active."""
        self.mlflow_apps: set[str] = set()
        self.experiments: set[str] = set()
        self.trials: dict[str, str] = {}
        """Names, and the experiment of each."""
        self.components: dict[str, set[str]] = {}
        """What was associated with a trial."""
        self.endpoint_configs: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.schedules: dict[str, dict[str, Any]] = {}

    # Budgets

    def CreateBudget(self, request: dict[str, Any]) -> dict[str, Any]:
        budget = request["Budget"]
        if budget["BudgetName"] in self.budgets:
            raise Refusal("DuplicateRecordException", "the budget exists already")
        self.budgets[budget["BudgetName"]] = budget
        self.subscribers[budget["BudgetName"]] = [
            person
            for each in request.get("NotificationsWithSubscribers", ())
            for person in each["Subscribers"]
        ]
        return {}

    def DescribeBudgets(self, request: dict[str, Any]) -> dict[str, Any]:
        spent = {"CalculatedSpend": {"ActualSpend": {"Amount": "3.5", "Unit": "USD"}}}
        return {"Budgets": [{**each, **spent} for each in self.budgets.values()]}

    def DeleteBudget(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.budgets.pop(request["BudgetName"], None) is None:
            raise Refusal("NotFoundException", "Unable to find the budget")
        return {}

    # Experiments and MLflow

    def CreateExperiment(self, request: dict[str, Any]) -> dict[str, Any]:
        self.experiments.add(request["ExperimentName"])
        return {"ExperimentArn": arn("experiment", request["ExperimentName"])}

    def DescribeExperiment(self, request: dict[str, Any]) -> dict[str, Any]:
        name = known(self.experiments, request["ExperimentName"])
        return {"ExperimentName": name, "ExperimentArn": arn("experiment", name)}

    def CreateTrial(self, request: dict[str, Any]) -> dict[str, Any]:
        known(self.experiments, request["ExperimentName"])
        self.trials[request["TrialName"]] = request["ExperimentName"]
        return {"TrialArn": arn("experiment-trial", request["TrialName"])}

    def DeleteTrial(self, request: dict[str, Any]) -> dict[str, Any]:
        name = known(self.trials, request["TrialName"])
        if self.components.get(name):
            raise Refusal("ValidationException", "the trial has trial components")
        del self.trials[name]
        return {"TrialArn": arn("experiment-trial", name)}

    def ListTrialComponents(self, request: dict[str, Any]) -> dict[str, Any]:
        name = known(self.trials, request["TrialName"])
        return {
            "TrialComponentSummaries": [
                {"TrialComponentName": each}
                for each in sorted(self.components.get(name, ()))
            ]
        }

    def DisassociateTrialComponent(self, request: dict[str, Any]) -> dict[str, Any]:
        self.components[request["TrialName"]].discard(request["TrialComponentName"])
        return {}

    def DescribeMlflowApp(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Arn": known(self.mlflow_apps, request["Arn"]), "Status": "Created"}

    def DescribeMlflowTrackingServer(self, request: dict[str, Any]) -> dict[str, Any]:
        name = known(self.tracking_servers, request["TrackingServerName"])
        active = self.tracking_servers[name]
        return {"TrackingServerName": name, "IsActive": active}

    # What stands

    def ListMlflowTrackingServers(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "TrackingServerSummaries": [
                {"TrackingServerName": name, "IsActive": active}
                for name, active in self.tracking_servers.items()
            ]
        }

    def ListApps(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Apps": self.apps}

    def ListEndpointConfigs(self, request: dict[str, Any]) -> dict[str, Any]:
        named = containing(self.endpoint_configs, request)
        return {"EndpointConfigs": [made("EndpointConfig", name) for name in named]}

    def ListModels(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "Models": [made("Model", name) for name in containing(self.models, request)]
        }

    def DescribeEndpointConfig(self, request: dict[str, Any]) -> dict[str, Any]:
        name = known(self.endpoint_configs, request["EndpointConfigName"])
        variant = {"VariantName": "one", "InstanceType": "ml.m5.large"}
        usual = [{**variant, "InitialInstanceCount": 1}]
        variants = self.endpoint_configs[name].get("ProductionVariants", usual)
        return {"ProductionVariants": variants, **made("EndpointConfig", name)}

    def ListSchedules(self, request: dict[str, Any]) -> dict[str, Any]:
        start = request.get("NamePrefix", "")
        return {
            "Schedules": [
                {"Name": name, "CreationDate": NOON, "GroupName": "default"}
                for name in self.schedules
                if name.startswith(start)
            ]
        }


def made(kind: str, name: str) -> dict[str, Any]:
    """A thing as a list shows it."""
    short = {"EndpointConfig": "endpoint-config", "Model": "model"}[kind]
    found = {f"{kind}Name": name, f"{kind}Arn": arn(short, name)}
    return {**found, "CreationTime": NOON}


def containing(names: dict[str, Any], request: dict[str, Any]) -> list[str]:
    return [name for name in names if request.get("NameContains", "") in name]


def known(names: dict[str, Any] | set[str], name: str) -> str:
    if name not in names:
        raise Refusal("ResourceNotFound", f"{name} does not exist.")
    return name
