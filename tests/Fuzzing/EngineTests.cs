using System.Text;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing;

/// <summary>That what is promised and broken is found: with faults that are planted.</summary>
public class EngineTests
{
    private string findings = "";

    [SetUp]
    public void Make() => findings = Directory.CreateTempSubdirectory("decant-fuzz-").FullName;

    [TearDown]
    public void Delete() => Directory.Delete(findings, recursive: true);

    [Test]
    public void A_fault_behind_a_word_is_found_letter_by_letter_and_made_small()
    {
        var finding = Find(new Planted(input =>
        {
            var text = Encoding.ASCII.GetString(input);
            var letters = Enumerable.Range(0, 6).TakeWhile(n => text.Contains("DECANT"[..(n + 1)], StringComparison.Ordinal)).Count();
            return letters < 6 ? new string('l', letters) : throw new InvalidOperationException("planted");
        }));

        Assert.That(finding.Place, Does.StartWith("InvalidOperationException"));
        Assert.That(Encoding.ASCII.GetString(finding.Input), Is.EqualTo("DECANT"));
    }

    [Test]
    public void An_input_without_an_end_is_found()
    {
        var isOver = false;
        try
        {
            var finding = Find(new Planted(input =>
            {
                while (input.Length > 40 && !Volatile.Read(ref isOver))
                {
                    // For ever.
                }

                return "";
            }));

            Assert.That(finding.Place, Is.EqualTo("deadline"));
            Assert.That(finding.Input, Has.Length.GreaterThan(40));
        }
        finally
        {
            Volatile.Write(ref isOver, true);
        }
    }

    [Test]
    public void An_input_that_takes_memory_beyond_its_bound_is_found()
    {
        var finding = Find(new Planted(input => input.Contains((byte)0xFF) ? $"{new byte[64 << 20].Length}" : ""));

        Assert.That(finding.Place, Is.EqualTo("memory"));
        Assert.That(finding.Input, Is.EqualTo(new byte[] { 0xFF }));
    }

    [Test]
    public void An_input_that_ended_the_process_is_found_by_the_next_run()
    {
        using (var running = new RunningInput(findings, nameof(Planted))) running.Begin("the last"u8.ToArray());

        Assert.That(() => Find(new Planted(_ => "")), Throws.TypeOf<BrokenPromiseException>().With.Message.Contains("DECANT_FUZZ_INPUT"));
        Assert.That(File.ReadAllText(Path.Combine(findings, "Planted-ended-the-process")), Is.EqualTo("the last"));
        Assert.That(() => Fuzzer.Run(new Planted(_ => ""), [], 1, TimeSpan.FromMilliseconds(1), findings), Throws.Nothing);
    }

    private Finding Find(Planted target)
    {
        // Found long before; a loaded machine has all the time it needs.
        var report = Fuzzer.Run(target, ["nothing in particular"u8.ToArray()], 1, TimeSpan.FromSeconds(60), findings, mostFindings: 1);
        return report.Findings[0];
    }

    private sealed class Planted(Func<byte[], string> run) : FuzzTarget
    {
        public override TimeSpan Deadline => TimeSpan.FromSeconds(0.5);

        public override IEnumerable<byte[]> Seeds => [];

        public override IReadOnlyList<byte[]> Words => Bytes("D", "E", "C", "A", "N", "T");

        public override string Run(byte[] input) => run(input);
    }
}
