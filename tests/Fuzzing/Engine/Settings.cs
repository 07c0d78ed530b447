using System.Globalization;

namespace Decant.Fuzzing.Engine;

/// <summary>How long and what, from the environment.</summary>
internal static class Settings
{
    /// <summary>For each target: seconds in CI, ten minutes when <c>DECANT_TEST_LONG=1</c>; <c>DECANT_FUZZ_SECONDS</c> says otherwise.</summary>
    public static TimeSpan Budget { get; } = TimeSpan.FromSeconds(
        double.TryParse(Variable("SECONDS"), CultureInfo.InvariantCulture, out var seconds) ? seconds : Environment.GetEnvironmentVariable("DECANT_TEST_LONG") == "1" ? 600 : 0.9);

    /// <summary>Of the chance: <c>DECANT_FUZZ_SEED</c>.</summary>
    public static int Seed { get; } = int.TryParse(Variable("SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : Random.Shared.Next();

    /// <summary>One input instead of many: <c>DECANT_FUZZ_INPUT</c>, a file.</summary>
    public static string? Input => Variable("INPUT");

    /// <summary>Where inputs that reach more than those of the corpus are written: <c>DECANT_FUZZ_CORPUS</c>, a directory; nowhere when it is not said.</summary>
    public static string? Corpus => Variable("CORPUS");

    /// <summary>Where findings are written: <c>DECANT_FUZZ_FINDINGS</c>.</summary>
    public static string Findings => Variable("FINDINGS") ?? Path.Combine(AppContext.BaseDirectory, "findings");

    private static string? Variable(string name) => Environment.GetEnvironmentVariable($"DECANT_FUZZ_{name}") is { Length: > 0 } value ? value : null;
}
