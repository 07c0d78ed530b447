using System.CommandLine;
using Decant.Controller.Commands;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;

using var channels = new AgentChannels();
var session = new CommandSession(Terminal.Create(), channels, TimeProvider.System);
var root = new RootCommand("Decant pours a new release of an Elixir application into a running fleet without losing a request.")
{
    InitCommand.Create(session),
    DeployCommands.CreatePlan(session),
    DeployCommands.CreateDeploy(session),
    DeployCommands.CreateResume(session),
    DeployCommands.CreateRollback(session),
    PromotionCommands.CreatePromote(session),
    PromotionCommands.CreateAbort(session),
    PromotionCommands.CreatePause(session),
    StatusCommand.Create(session),
    HistoryCommands.CreateHistory(session),
    HistoryCommands.CreateShow(session),
    LogsCommand.Create(session),
    ReleasesCommand.Create(session),
    HostsCommand.Create(session),
    StepCommands.CreateDrain(session),
    StepCommands.CreateUndrain(session),
    StepCommands.CreateMigrate(session),
    EvaluateCommands.CreateRpc(session),
    EvaluateCommands.CreateEval(session),
};
root.Options.Add(CommonOptions.Manifest);
root.Options.Add(CommonOptions.Json);

var parsed = root.Parse(args);
// A deployment handles Ctrl-C itself: once stops, twice aborts (StopOnSignals).
var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? (int)ExitCode.Usage : exitCode;
