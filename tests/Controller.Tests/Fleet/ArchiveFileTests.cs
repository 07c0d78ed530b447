using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Decant.Controller.Fleet;
using Decant.Errors;

namespace Decant.Controller.Tests.Fleet;

public class ArchiveFileTests
{
    private readonly string directory = Directory.CreateTempSubdirectory("decant-archive-").FullName;

    [OneTimeTearDown]
    public void Clean() => Directory.Delete(directory, recursive: true);

    [TestCase("")]
    [TestCase("./")]
    public async Task A_release_tells_its_name_version_and_digest(string prefix)
    {
        // As Phoenix has it: more scripts than the release's own.
        var path = Make($"{prefix}bin/shop", $"{prefix}bin/server", $"{prefix}releases/1.2.0/shop.rel", $"{prefix}erts-14.0/bin/erl", $"{prefix}releases/start_erl.data");

        var archive = await ArchiveFile.ReadAsync(path, default);

        Assert.Multiple(() =>
        {
            Assert.That(archive.Name, Is.EqualTo("shop"));
            Assert.That(archive.Release.Version.Value, Is.EqualTo("1.2.0"));
            Assert.That(archive.ErtsVersion, Is.EqualTo("14.0"));
            Assert.That(archive.IncludesErts, Is.True);
            Assert.That(archive.Size, Is.EqualTo(new FileInfo(path).Length));
            Assert.That(archive.Release.Digest.Value, Is.EqualTo(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))));
        });
    }

    [Test]
    public async Task What_is_no_release_says_what_it_lacks()
    {
        Assert.That(await ReasonOf(Make("README.md")), Is.EqualTo("NOT_A_RELEASE"));
        Assert.That(await ReasonOf(Make("releases/start_erl.data")), Is.EqualTo("NOT_A_RELEASE"));
        Assert.That(await ReasonOf(Path.Combine(directory, "none.tar.gz")), Is.EqualTo("ARCHIVE_NOT_FOUND"));
    }

    [Test]
    public async Task A_truncated_or_foreign_file_is_not_a_whole_archive()
    {
        var path = Make("bin/shop", "releases/1.2.0/shop.rel", "releases/start_erl.data", "lib/big");
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        var text = Path.Combine(directory, "text.tar.gz");
        File.WriteAllText(text, "this is not gzip");

        Assert.That(await ReasonOf(path), Is.EqualTo("ARCHIVE_CORRUPT"));
        Assert.That(await ReasonOf(text), Is.EqualTo("ARCHIVE_CORRUPT"));
    }

    // The framework's reader has another exception for each of these, and took 128 MiB for the last.
    private static IEnumerable<TestCaseData> Headers()
    {
        static TestCaseData Case(string name, Action<byte[]> change) => new TestCaseData(change).SetName($"An_archive_with_{name}_is_corrupt_and_costs_nothing");

        yield return Case("a_sparse_file_whose_map_is_none", h => h[156] = (byte)'S');
        yield return Case("a_size_that_no_file_has", h => h.AsSpan(124, 12).Fill(0xFF));
        yield return Case("a_size_beyond_all_numbers", h => (h[124], h[128], h[135]) = (0x80, 0x7F, 1));
        yield return Case("a_mode_that_is_none", h => h.AsSpan(100, 7).Fill((byte)'9'));
        yield return Case("an_extended_header_of_gigabytes", h =>
        {
            h[156] = (byte)'x';
            "17777777777"u8.CopyTo(h.AsSpan(124));
        });
    }

    [TestCaseSource(nameof(Headers))]
    public async Task An_archive_with_a_header_that_is_wrong_is_corrupt(Action<byte[]> change)
    {
        var path = Path.Combine(directory, $"{Guid.NewGuid():N}.tar.gz");
        using (var unpacked = new GZipStream(File.OpenRead(Make("bin/shop")), CompressionMode.Decompress))
        using (var tar = new MemoryStream())
        {
            unpacked.CopyTo(tar);
            // Behind the extended header of its own that the writer puts before each entry.
            var entry = tar.ToArray()[1024..];
            change(entry);
            entry.AsSpan(148, 8).Fill((byte)' ');
            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(entry.Take(512).Sum(b => b), 8).PadLeft(6, '0') + "\0 ").CopyTo(entry, 148);
            using var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest);
            gzip.Write(entry);
        }

        var before = GC.GetTotalAllocatedBytes();
        Assert.That(await ReasonOf(path), Is.EqualTo("ARCHIVE_CORRUPT").Or.EqualTo("NOT_A_RELEASE"));
        Assert.That(GC.GetTotalAllocatedBytes() - before, Is.LessThan(20 << 20));
    }

    private static async Task<string> ReasonOf(string path)
    {
        try
        {
            return $"none: it is {await ArchiveFile.ReadAsync(path, default)}";
        }
        catch (OperatorException exception)
        {
            return exception.Error.Reason;
        }
    }

    private string Make(params string[] names)
    {
        var path = Path.Combine(directory, $"{Guid.NewGuid():N}.tar.gz");
        using var tar = new TarWriter(new GZipStream(File.Create(path), CompressionLevel.Fastest));
        foreach (var name in names)
        {
            var content = new byte[100_000];
            new Random(1).NextBytes(content);
            if (name.EndsWith("start_erl.data", StringComparison.Ordinal)) content = "14.0 1.2.0"u8.ToArray();
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
            {
                DataStream = new MemoryStream(content),
                Mode = UnixFileMode.UserRead | UnixFileMode.UserExecute,
            });
        }

        return path;
    }
}
