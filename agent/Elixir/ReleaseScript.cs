using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Elixir;

/// <summary>What the agent asks of a staged release through its own script, <c>bin/app</c> (mix help release, "Commands").</summary>
internal sealed class ReleaseScript(SlotEnvironment environments, AppDirectories directories, ISupervisor supervisor)
{
    /// <summary>Evaluates an expression in a VM of its own, without starting the app; config/runtime.exs is evaluated first.</summary>
    public Task<CommandEnd> EvalAsync(
        ReleaseInSlot target, string expression, TimeSpan timeout, Action<OutputLine>? line, CancellationToken cancellation)
        => EvalAsync(target, expression, timeout, started: null, line, cancellation);

    /// <summary>Boots a VM that only evaluates config/runtime.exs, at low priority: the app that serves goes first.</summary>
    public Task<CommandEnd> EvalConfigurationAsync(ReleaseInSlot target, TimeSpan timeout, Action<OutputLine>? line, CancellationToken cancellation)
        => RunAsync(target, ["eval", ":ok"], timeout, null, line, lowPriority: true, cancellation);

    /// <summary>As <see cref="EvalAsync(ReleaseInSlot, string, TimeSpan, Action{OutputLine}?, CancellationToken)"/>, for who must find its process again.</summary>
    public Task<CommandEnd> EvalAsync(
        ReleaseInSlot target,
        string expression,
        TimeSpan timeout,
        Action<ProcessIdentity>? started,
        Action<OutputLine>? line,
        CancellationToken cancellation)
        => RunAsync(target, ["eval", expression], timeout, started, line, lowPriority: false, cancellation);

    /// <summary>Evaluates an expression in the running node of the slot.</summary>
    public Task<CommandEnd> RpcAsync(
        ReleaseInSlot target, string expression, TimeSpan timeout, Action<OutputLine>? line, CancellationToken cancellation)
        => RunAsync(target, ["rpc", expression], timeout, null, line, lowPriority: false, cancellation);

    /// <summary>
    /// Asks the running node to stop. Returns when the node has been told, about a second before its process is gone: wait for that, not for this.
    /// </summary>
    public Task<CommandEnd> StopAsync(ReleaseInSlot target, TimeSpan timeout, CancellationToken cancellation)
        => RunAsync(target, ["stop"], timeout, null, null, lowPriority: false, cancellation);

    private Task<CommandEnd> RunAsync(
        ReleaseInSlot target,
        IReadOnlyList<string> arguments,
        TimeSpan timeout,
        Action<ProcessIdentity>? started,
        Action<OutputLine>? line,
        bool lowPriority,
        CancellationToken cancellation)
    {
        var environment = new Dictionary<string, string>(environments.Of(target.Key, target.Spec, target.Release, target.Deployment))
        {
            // A command's VM that fails leaves no dump (erl(1)): it would be taken for one of the instance that runs in the slot.
            ["ERL_CRASH_DUMP_SECONDS"] = "0",
        };
        var order = new CommandOrder(target.Release.Script, arguments, environment, directories.Home(target.Key), timeout)
        {
            Slot = target.Key,
            Started = started,
            Line = line,
            LowPriority = lowPriority,
        };
        return supervisor.RunAsync(order, cancellation);
    }
}

/// <summary>A staged release in a slot: what a command of its script runs for.</summary>
/// <param name="Key">App and slot.</param>
/// <param name="Spec">How it runs there.</param>
/// <param name="Release">The release.</param>
/// <param name="Deployment">What causes the command; null when nothing does.</param>
internal sealed record ReleaseInSlot(InstanceKey Key, SlotSpec Spec, StagedRelease Release, DeploymentId? Deployment);
