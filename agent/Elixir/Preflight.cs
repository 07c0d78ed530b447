using Decant.Agent.Configuration;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Elixir;

/// <summary>Everything that can be found wrong before anything is stopped.</summary>
internal sealed class Preflight(ReleaseScript script, SharedLibraries libraries, AgentConfiguration configuration, DiskSpace disk)
{
    private const string SystemErl = "/usr/bin/erl";
    private const int Tries = 3;
    private const int LongestLine = 300;

    /// <summary>Looks at everything and reports each finding as it is known.</summary>
    /// <param name="target">What is to run, and where.</param>
    /// <param name="freed">Ports that instances of the app hold now and that will be free by then.</param>
    /// <param name="timeout">Deadline of the evaluation of config/runtime.exs.</param>
    /// <param name="report">Told each finding.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="OperatorException">PREFLIGHT_FAILED with all findings that did not pass.</exception>
    public async Task<PreflightPassed> RunAsync(
        ReleaseInSlot target, IReadOnlyCollection<int> freed, TimeSpan timeout, IOperationReport report, CancellationToken cancellation)
    {
        var findings = new List<PreflightFinding>();
        void Found(PreflightFinding finding)
        {
            findings.Add(finding);
            report.Message($"{finding.Check}: {(finding.Passed ? "ok" : "FAILED")}, {finding.Detail}");
        }

        Found(Erts(target.Release));
        Found(await libraries.CheckAsync(target.Release, cancellation));
        Found(Port(target.Spec.Port, freed));
        Found(Disk());
        Found(await RuntimeConfigAsync(target, timeout, report, cancellation));

        var failed = findings.Where(f => !f.Passed).ToList();
        if (failed.Count == 0) return new PreflightPassed(findings);
        throw new OperatorException(new OperatorError(
            StatusCode.Aborted,
            "PREFLIGHT_FAILED",
            $"{target.Key} cannot run {target.Release.Id.Version}: {string.Join("; ", failed.Select(f => $"{f.Check}: {f.Detail}"))}",
            "nothing was stopped; mend what is named and deploy again").With("app", target.Key.App.Value).With("slot", target.Key.Slot.Value));
    }

    private static PreflightFinding Erts(StagedRelease release)
    {
        if (!release.IncludesErts)
        {
            return File.Exists(SystemErl)
                ? new PreflightFinding("erts", true, $"not included; the host's own {SystemErl} runs it")
                : new PreflightFinding("erts", false, $"the release includes no ERTS and {SystemErl} is not there; install Erlang or build with include_erts: true");
        }

        var vm = Path.Combine(release.Root, $"erts-{release.ErtsVersion}", "bin", "beam.smp");
        var (header, instead) = ElfHeader.Read(vm);
        return header == ElfHeader.OfThisHost
            ? new PreflightFinding("erts", true, $"{release.ErtsVersion}, built for {header.Architecture}")
            : new PreflightFinding("erts", false, $"{vm} is {header?.Architecture ?? instead}, this host is {ElfHeader.OfThisHost.Architecture}");
    }

    private static PreflightFinding Port(int port, IReadOnlyCollection<int> freed)
    {
        if (freed.Contains(port)) return new PreflightFinding("port", true, $"{port} is held by what the app runs now, and free by then");
        return ListeningPorts.Describe(port) is { } owner
            ? new PreflightFinding("port", false, $"{port} is taken by {owner}")
            : new PreflightFinding("port", true, $"{port} is free");
    }

    private PreflightFinding Disk()
    {
        var free = disk.Free(configuration.DataDirectory);
        var floor = configuration.Limits.DiskFloorBytes;
        return new PreflightFinding("disk", free > floor, $"{free >> 20} MiB free, {floor >> 20} MiB are left alone");
    }

    private async Task<PreflightFinding> RuntimeConfigAsync(
        ReleaseInSlot target, TimeSpan timeout, IOperationReport report, CancellationToken cancellation)
    {
        CommandEnd end;
        string? telling = null;
        try
        {
            var tries = 0;
            do
            {
                end = await script.EvalConfigurationAsync(target, timeout, report.Output, cancellation);
                telling = ErrorLine.In(end.Tail);
            }
            // A VM that ends while it boots does not always get its own error message out: then it is asked again.
            while (!end.Succeeded && !end.TimedOut && telling is null && ++tries < Tries);
        }
        catch (OperatorException exception)
        {
            // The host's env file; the other findings are told all the same.
            return new PreflightFinding("runtime-config", false, exception.Error.Message);
        }

        if (end.Succeeded) return new PreflightFinding("runtime-config", true, $"config/runtime.exs evaluates, {end.Elapsed.TotalSeconds:0.0} s");
        var why = end.TimedOut ? $"no end within {timeout.TotalSeconds:0.###} s" : $"exit code {end.ExitCode}";
        telling ??= string.Join('\n', end.Tail.TakeLast(3).Select(l => l.Text.Length > LongestLine ? $"{l.Text[..LongestLine]}…" : l.Text));
        return new PreflightFinding("runtime-config", false, $"config/runtime.exs does not evaluate in the slot's environment ({why}): {telling}");
    }
}
