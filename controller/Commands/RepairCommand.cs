using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Planning;

namespace Decant.Controller.Commands;

/// <summary><c>decant repair</c>: proposes a plan that makes what is not as it should be so, and carries it out when it is agreed to.</summary>
internal static class RepairCommand
{
    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Carry the plan out without asking" };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Show the plan, and touch nothing" };

    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand(
            "repair",
            "Make what is not as it should be so: start what should run, put back what was taken out, bring hosts to the fleet's release, retire leftovers",
            "decant repair --dry-run") { Yes, DryRun };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(CommandSession session, ParseResult parsed, ManifestInUse used, CancellationToken cancellation)
    {
        var json = CommandSession.IsJson(parsed);
        var yes = parsed.GetValue(Yes) && !parsed.GetValue(DryRun);
        var proposal = await session.Deployments(_ => { }).ProposeRepairAsync(used.Manifest, cancellation);
        if (!yes || proposal.Plan.IsEmpty) Show(session.Terminal, json, proposal);
        if (proposal.Plan.IsEmpty) return proposal.Left.Count == 0 ? ExitCode.Success : ExitCode.Drift;
        if (!yes && (parsed.GetValue(DryRun) || json || !await AgreedAsync(session.Terminal, cancellation))) return ExitCode.Drift;

        using var stop = new StopSignal();
        using var signals = new StopOnSignals(stop);
        var request = new RepairRequest(used.Source, used.Manifest, yes ? null : proposal.Plan);
        IReadOnlyList<Finding> left;
        DeploymentOutcome outcome;
        using (var display = DeploymentDisplay.For(session.Terminal, json, session.Time))
            (outcome, left) = await session.Deployments(display.Show).RepairAsync(request, stop);
        Show(session.Terminal, json, left);
        return outcome.ExitCode == ExitCode.Success && left.Count > 0 ? ExitCode.Drift : outcome.ExitCode;
    }

    private static async Task<bool> AgreedAsync(Terminal terminal, CancellationToken cancellation)
    {
        if (!terminal.IsInteractive || System.Console.IsInputRedirected)
        {
            terminal.Note("nothing was touched; add --yes to carry this plan out");
            return false;
        }

        terminal.Note("Carry this plan out? [y/N]");
        var answer = await System.Console.In.ReadLineAsync(cancellation);
        return answer?.Trim().ToLowerInvariant() is "y" or "yes";
    }

    private static void Show(Terminal terminal, bool json, RepairProposal proposal)
    {
        if (json) terminal.Json(DeploymentEventJson.Write(proposal.Plan));
        else foreach (var line in PlanText.Of(proposal.Plan)) terminal.Line(line);
        Show(terminal, json, proposal.Left);
    }

    private static void Show(Terminal terminal, bool json, IReadOnlyList<Finding> left)
    {
        if (json)
        {
            foreach (var finding in left) terminal.Json(writer => FindingText.Write(writer, finding));
            return;
        }

        if (left.Count == 0) return;
        terminal.Line("");
        terminal.Line("not by a plan");
        foreach (var line in left.SelectMany(FindingText.Lines)) terminal.Line(line);
    }
}
