using Decant.Controller.Execution;

namespace Decant.Controller.Console;

/// <summary>What exit codes mean, for <c>--help</c>; the README's table and the manual page say the same.</summary>
internal static class ExitCodeText
{
    /// <summary>One line.</summary>
    public static string Of(ExitCode code) => code switch
    {
        ExitCode.Success => "done, or nothing had to be done",
        ExitCode.Unexpected => "an unexpected error, or an expression that failed",
        ExitCode.Usage => "the command line, the manifest or the archive is wrong; nothing was touched",
        ExitCode.FailedSafely => "the deployment failed, and every host serves what it served before",
        ExitCode.NeedsAttention => "the deployment failed and was not wholly rolled back, or lost its lease: a person has to look",
        ExitCode.Unreachable => "a host or a balancer cannot be reached; nothing was touched",
        ExitCode.Refused => "refused: the release failed before (see --again), another deployment is running or holds the lease, it is no time for one (see --now), or your role is not enough",
        ExitCode.AwaitingPromotion => "the canaries have proved themselves; `decant promote` or `decant abort` decides",
        ExitCode.Drift => "something is not as it should be (status --check, repair)",
        ExitCode.Stopped => "stopped by Ctrl-C or `decant pause`; `decant resume` goes on with a deployment",
        _ => throw new InvalidOperationException($"exit code {code} has no text"),
    };
}
