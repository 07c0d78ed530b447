using System.CommandLine;
using System.CommandLine.Invocation;
using Decant.Controller.Commands;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Security;

string? identity = null;
var identities = new OperatorIdentities(() => IdentityDirectory.Find(identity, Environment.GetEnvironmentVariable, Environment.IsPrivilegedProcess));
using var channels = new AgentChannels(TimeProvider.System, new CallTimings(), identities);
var session = new CommandSession(Terminal.Create(), channels, identities, TimeProvider.System);
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
    UnlockCommand.Create(session),
    CaCommands.Create(session),
    HostCommands.Create(session),
    AuditCommand.Create(session),
    StatusCommand.Create(session),
    RepairCommand.Create(session),
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
root.Options.Add(CommonOptions.Identity);
HelpText.AddTo(root);

var parsed = root.Parse(args);
identity = parsed.Errors.Count == 0 ? parsed.GetValue(CommonOptions.Identity) : null;
using var interrupt = new Interrupt();
var configuration = new InvocationConfiguration { ProcessTerminationTimeout = null };
if (parsed.Action is not ParseErrorAction wrong) return await parsed.InvokeAsync(configuration, interrupt.Token);

// Standard output is for results: what is wrong, and what was probably meant, goes to standard error.
wrong.ShowHelp = false;
configuration.Output = configuration.Error;
await parsed.InvokeAsync(configuration, interrupt.Token);
var command = parsed.CommandResult.Command;
await configuration.Error.WriteLineAsync($"See: decant {(command is RootCommand ? "" : $"{command.Name} ")}--help");
return (int)ExitCode.Usage;
