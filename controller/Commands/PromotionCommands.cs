using System.CommandLine;
using System.Diagnostics;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant promote</c>, <c>abort</c> and <c>pause</c>: what an operator decides while a deployment runs or waits.</summary>
internal static class PromotionCommands
{
    private static readonly Argument<string> Deployment = new("deployment")
    {
        Description = "Id of the deployment, as `decant history` lists it",
        CompletionSources = { Completions.Deployments },
    };

    public static Command CreatePromote(CommandSession session)
    {
        var command = new OperatorCommand(
            "promote", "Let the rest follow canaries: after a manual gate, or before their time is over", "decant promote 20261125-101502-k3f9") { Deployment };
        command.SetAction((parsed, cancellation) => DecideAsync(session, parsed, (service, id, stop, here) => service.PromoteAsync(id, stop, here), cancellation));
        return command;
    }

    public static Command CreateAbort(CommandSession session)
    {
        var command = new OperatorCommand(
            "abort", "Stop a deployment and take every host that it touched back", "decant abort 20261125-101502-k3f9") { Deployment };
        command.SetAction((parsed, cancellation) => DecideAsync(session, parsed, (service, id, stop, here) => service.AbortAsync(id, stop, here), cancellation, wished: ExitCode.FailedSafely));
        return command;
    }

    public static Command CreatePause(CommandSession session)
    {
        var command = new OperatorCommand(
            "pause", "Stop a running deployment after its current steps, as Ctrl-C does where it runs", "decant pause 20261125-101502-k3f9") { Deployment };
        command.SetAction((parsed, cancellation) => session.RunAsync(async () =>
        {
            var record = Find(parsed);
            if (record.Status != DeploymentStatus.Running)
            {
                throw new OperatorException(new OperatorError(
                    StatusCode.FailedPrecondition,
                    Refusals.NotResumable,
                    $"deployment {record.Id} does not run{(record.Holder.IsHere ? "" : $" on this machine; {record.Holder.Name} ran it last")}",
                    $"`decant show {record.Id}` tells where it stands"));
            }

            await StopAsync(session, record, cancellation);
            session.Terminal.Line($"deployment {record.Id} is stopped; `decant resume {record.Id}` goes on, `decant abort {record.Id}` rolls back");
            return ExitCode.Success;
        }, cancellation));
        return command;
    }

    /// <summary>Whoever aborts wants a deployment that did not go through, and every host as it was: that is success to him.</summary>
    private static Task<int> DecideAsync(
        CommandSession session,
        ParseResult parsed,
        Func<DeploymentService, DeploymentId, StopSignal, DeploymentManifest?, Task<DeploymentOutcome>> decide,
        CancellationToken cancellation,
        ExitCode wished = ExitCode.Success) => session.RunAsync(async () =>
        {
            var id = DeployCommands.ReadId(parsed.GetRequiredValue(Deployment));
            var here = await session.ManifestHereAsync(parsed, cancellation);
            // One that another machine runs is not stopped from here: its lease refuses the decision, and says whose it is.
            if (CommandSession.Journal().Find(id) is { Status: DeploymentStatus.Running } record) await StopAsync(session, record, cancellation);
            var code = await DeployCommands.RunAsync(session, parsed, (service, stop) => decide(service, id, stop, here));
            return code == wished ? ExitCode.Success : code;
        }, cancellation);

    /// <summary>Asks the controller that runs it to stop between two steps, and waits until it has.</summary>
    private static async Task StopAsync(CommandSession session, DeploymentRecord record, CancellationToken cancellation)
    {
        session.Terminal.Note($"asking pid {record.Holder.Pid} to stop after its running steps");
        try
        {
            using var holder = Process.GetProcessById(record.Holder.Pid);
            // Looked at after the handle is held.
            if (!record.Holder.IsAlive) return;
            using var kill = Process.Start("/bin/kill", ["-TERM", $"{record.Holder.Pid}"]);
            await kill.WaitForExitAsync(cancellation);
            await holder.WaitForExitAsync(cancellation);
        }
        catch (ArgumentException)
        {
            // It ended in between.
        }
    }

    private static DeploymentRecord Find(ParseResult parsed)
    {
        var id = DeployCommands.ReadId(parsed.GetRequiredValue(Deployment));
        return CommandSession.Journal().Find(id) ?? throw new OperatorException(new OperatorError(
            StatusCode.NotFound, "DEPLOYMENT_NOT_FOUND", $"this controller knows no deployment {id}", "`decant history` lists them"));
    }
}
