using Decant.Processes;

namespace Decant.Controller.Execution;

/// <summary>The process that runs a deployment, known by pid and start time: a pid alone may be somebody else's by now.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot: field 22 of <c>/proc/&lt;pid&gt;/stat</c>, proc(5).</param>
/// <param name="User">Who started it.</param>
internal sealed record ControllerProcess(int Pid, long StartTicks, string User)
{
    /// <summary>This process.</summary>
    public static ControllerProcess Current()
        => new(Environment.ProcessId, ProcessStat.Of(Environment.ProcessId)?.StartTicks ?? 0, Environment.UserName);

    /// <summary>It still runs.</summary>
    public bool IsAlive => ProcessStat.Of(Pid)?.StartTicks == StartTicks;
}
