using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>Names deployments and their operations.</summary>
internal static class DeploymentIds
{
    private const int LongestOperationId = 128;
    // Without what looks alike when read aloud or typed.
    private const string Letters = "abcdefghjkmnpqrstuvwxyz23456789";

    /// <summary>A new deployment's id: sorts by time, short enough to type (<c>20261124-134502-k3f9</c>). UTC.</summary>
    public static DeploymentId New(TimeProvider time, Random random)
    {
        var stamp = time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        return DeploymentId.Parse($"{stamp}-{random.GetString(Letters, 4)}");
    }

    /// <summary>
    /// The agent's operation for a step: a repetition in the same attempt names the same one. The migration's has no attempt
    /// in it, so that a resumed deployment never runs it twice.
    /// </summary>
    /// <param name="isRollback">It undoes what the deployment changed.</param>
    /// <param name="isPutBack">It puts a host back whose drain failed: not the run of the same step that may follow later.</param>
    /// <param name="repetition">0, or more when the agent died in the middle and the step is done again on purpose.</param>
    public static OperationId Operation(DeploymentId deployment, int attempt, Step step, bool isRollback, bool isPutBack, int repetition)
    {
        var prefix = step is MigrateStep ? $"{deployment}/" : $"{deployment}/{attempt}/{(isRollback ? "rollback/" : "")}{(isPutBack ? "put-back/" : "")}";
        var key = step is MigrateStep ? "migrate" : step.Key;
        var suffix = repetition == 0 ? "" : $"/again-{repetition}";
        if (prefix.Length + key.Length + suffix.Length > LongestOperationId)
            key = $"{step.Verb}/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32]}";
        return OperationId.Parse(prefix + key + suffix);
    }
}
