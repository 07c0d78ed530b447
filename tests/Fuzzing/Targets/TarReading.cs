using Decant.Agent.Configuration;
using Decant.Agent.Releases;
using Decant.Archives;
using Decant.Errors;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>The tar reader: it ends, with entries or with a refusal, and gives no more data than there is and may be.</summary>
internal sealed class TarReading : FuzzTarget
{
    private static readonly HostLimits Limits = new() { UnpackedBytes = 1 << 20, Entries = 500, Ratio = 100 };

    public override IEnumerable<byte[]> Seeds => Tar.Seeds;

    public override IReadOnlyList<byte[]> Words => Tar.Words;

    public override byte[] Mutate(byte[] input, Mutation mutation) => Tar.Mutate(input, mutation, Largest);

    public override byte[] Repair(byte[] input) => Tar.Repair(input);

    public override string Run(byte[] input)
    {
        var budget = new UnpackBudget(Limits, input.Length, () => { });
        var archive = new TarArchive(new MemoryStream(input), count => budget.SpendBytes(count));
        var buffer = new byte[1000];
        var entries = 0;
        long bytes = 0;
        try
        {
            while (archive.Next() is { } entry)
            {
                entries++;
                Promise(entry.Size >= 0, "an entry has a negative size");
                Promise(!entry.Name.Contains('\0') && !entry.LinkTarget.Contains('\0'), "a name has a NUL in it");
                for (var left = entry.Size; left > 0;)
                {
                    var read = archive.Read(buffer);
                    Promise(read > 0 && read <= left, "reading goes on for ever");
                    (left, bytes) = (left - read, bytes + read);
                }

                Promise(archive.Read(buffer) == 0, "there is more data than the header says");
            }
        }
        catch (InvalidDataException refused)
        {
            return refused.Message;
        }
        catch (OperatorException refused)
        {
            return refused.Error.Message;
        }
        finally
        {
            Promise(archive.Position <= input.Length && bytes <= input.Length, "more was read than is there");
        }

        return $"{Math.Min(entries, 9)} entries";
    }
}
