using System.Security.Cryptography;
using Decant.Fuzzing.Engine;
using Decant.Fuzzing.Targets;

namespace Decant.Fuzzing;

/// <summary>
/// Everything that takes bytes from others, with bytes that coverage leads. Some seconds in all in CI; ten minutes for each with
/// <c>DECANT_TEST_LONG=1</c>, or as many seconds as <c>DECANT_FUZZ_SECONDS</c> says.
/// </summary>
public class FuzzTests
{
    private static readonly FuzzTarget[] Targets = [.. AllTargets.Make()];

    private static IEnumerable<TestCaseData> Names() => Targets.Select(t => new TestCaseData(t.Name).SetName($"No_input_breaks_what_{t.Name}_promises"));

    [TestCaseSource(nameof(Names))]
    public void No_input_breaks_what_a_target_promises(string name)
    {
        var target = Targets.Single(t => t.Name == name);
        if (Settings.Input is { } file)
        {
            Try(target, File.ReadAllBytes(file));
            return;
        }

        var report = Fuzzer.Run(target, Corpus.Of(target), Settings.Seed, Settings.Budget, Settings.Findings);
        TestContext.Progress.WriteLine(report);
        if (Settings.Corpus is { } directory) Corpus.Write(directory, target, report.Kept);
        Assert.That(report.Findings.Select(Describe), Is.Empty, $"{report}");
        Assert.That(report.Pairs, Is.GreaterThan(0), "its code is not instrumented: it was not built with this project");
    }

    private static void Try(FuzzTarget target, byte[] input)
    {
        target.Open();
        try
        {
            TestContext.Progress.WriteLine($"{target.Name}: {target.Run(input)}");
        }
        finally
        {
            target.Close();
        }
    }

    private static string Describe(Finding finding)
    {
        var file = Path.Combine(Settings.Findings, $"{Convert.ToHexStringLower(SHA256.HashData(finding.Input))[..12]}");
        File.WriteAllBytes(file, finding.Input);
        return $"{finding.Place}: {finding.Text}\n  its input of {finding.Input.Length} bytes is in {file}; try it with DECANT_FUZZ_INPUT={file}";
    }
}
