namespace Decant.Controller.Execution;

/// <summary>What <c>decant</c> exits with. The one place where the numbers stand; the manual page and README follow it.</summary>
internal enum ExitCode
{
    /// <summary>Done, or nothing had to be done.</summary>
    Success = 0,

    /// <summary>Unexpected: a bug, a full disk, a journal that cannot be read.</summary>
    Unexpected = 1,

    /// <summary>The command line, the manifest or the archive is wrong. Nothing was touched.</summary>
    Usage = 2,

    /// <summary>The deployment failed and every host serves its old release: nothing was touched, or all of it was rolled back.</summary>
    FailedSafely = 3,

    /// <summary>The deployment failed and was not wholly rolled back, or lost its lease: needs a person.</summary>
    NeedsAttention = 4,

    /// <summary>A host or a balancer cannot be reached. Nothing was touched.</summary>
    Unreachable = 5,

    /// <summary>
    /// Refused: the release failed before (see <c>--again</c>), another deployment of the app is running or holds its lease, or the certificate's role is not enough.
    /// </summary>
    Refused = 6,

    /// <summary>The canaries run and have proved themselves; <c>decant promote</c> goes on.</summary>
    AwaitingPromotion = 7,

    /// <summary>Something is not as it should be, and it was asked for or proposed only: <c>decant status --check</c>, <c>decant repair</c>.</summary>
    Drift = 8,

    /// <summary>Stopped by Ctrl-C; <c>decant resume</c> goes on.</summary>
    Stopped = 130,
}
