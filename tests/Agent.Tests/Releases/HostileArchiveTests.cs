using System.Formats.Tar;
using System.Security.Cryptography;
using Decant.Agent.Configuration;
using Decant.Agent.Releases;
using Decant.Errors;

namespace Decant.Agent.Tests.Releases;

public class HostileArchiveTests
{
    private StoreRoom room = null!;

    [SetUp]
    public void Open() => room = new StoreRoom(new HostLimits { UnpackedBytes = 64 << 20, Entries = 500, Ratio = 100 });

    [TearDown]
    public void Close() => room.Dispose();

    private static IEnumerable<TestCaseData> UnsafeEntries()
    {
        static TestCaseData Case(string name, Action<TarBuilder> entries, string says)
            => new TestCaseData(entries, says).SetName($"Refused_because_an_entry_{name}");

        yield return Case("climbs", t => t.File("../evil", "x"), "../evil climbs with '..'");
        yield return Case("climbs_from_inside", t => t.File("lib/../../evil", "x"), "climbs with '..'");
        yield return Case("is_absolute", t => t.File("/etc/passwd", "x"), "/etc/passwd has an absolute path");
        yield return Case("is_a_link_to_an_absolute_path", t => t.Symlink("lib/l", "/etc/passwd"), "link to the absolute path /etc/passwd");
        yield return Case("is_a_link_out", t => t.Symlink("lib/l", "../../etc"), "lib/l is a link out of the release");
        yield return Case("is_written_through_a_link", t => t.Symlink("d", "lib").File("d/f", "x"), "goes through d, which is a link");
        yield return Case("is_made_in_a_link", t => t.Symlink("d", "lib").Directory("d/e"), "goes through d, which is a link");
        yield return Case(
            "is_a_link_out_by_another_link",
            t => t.Directory("q/r").Symlink("q/r/up", "../..").Symlink("q/r/out", "up/../etc"),
            "q/r/out is a link out of the release");
        yield return Case("is_a_link_in_a_circle", t => t.Symlink("a", "b").Symlink("b", "a"), "is a link in a circle");
        yield return Case("replaces_a_file_by_a_link", t => t.File("f", "x").Symlink("f", "lib"), "f is in the archive twice");
        yield return Case("goes_through_a_file", t => t.File("f", "x").File("f/g", "y"), "goes through f, which is a file");
        yield return Case("hard_links_out", t => t.HardLink("h", "../../etc/shadow"), "../../etc/shadow climbs");
        yield return Case("hard_links_to_an_absolute_path", t => t.HardLink("h", "/etc/shadow"), "/etc/shadow has an absolute path");
        yield return Case("hard_links_to_a_link", t => t.Symlink("l", "lib").HardLink("h", "l"), "is a hard link to l, which is not a file before it");
        yield return Case("is_a_character_device", t => t.Entry("dev", '3'), "dev is a character device");
        yield return Case("is_a_block_device", t => t.Entry("dev", '4'), "dev is a block device");
        yield return Case("is_a_fifo", t => t.Entry("pipe", '6'), "pipe is a fifo");
        yield return Case("is_sparse", t => t.Entry("holes", 'S'), "holes is a sparse file");
        yield return Case("is_of_an_unknown_type", t => t.Entry("what", 'Z'), "what is of the unknown type 'Z'");
        yield return Case("has_the_set_user_id_bit", t => t.File("bin/x", "x", 0b100_111_101_101), "refused: entry bin/x has the set-user-id bit");
        yield return Case("has_the_set_group_id_bit", t => t.File("bin/x", "x", 0b010_111_101_101), "entry bin/x has the set-group-id bit");
        yield return Case("has_the_sticky_bit", t => t.Directory("tmp", 0b001_111_111_111), "entry tmp has the sticky bit");
        yield return Case("is_there_twice", t => t.File("lib/a", "x").File("lib/a", "y"), "lib/a is in the archive twice");
        yield return Case("is_there_twice_by_another_spelling", t => t.File("lib/a", "x").File("./lib//a", "y"), "lib/a is in the archive twice");
        yield return Case("has_control_characters", t => t.File("lib/a\u001b[2J", "x"), "has control characters");
        yield return Case("is_too_deep", t => t.Entry("x", 'L', content: System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("d/", 80)) + "f")).File("x", ""), "directories deep");
        yield return Case("has_the_agents_own_name", t => t.File(".decant-release.json", "{}"), "is the agent's own");
        yield return Case("is_a_directory_with_data", t => t.Entry("d", '5', content: [1, 2]), "has data, but is not a file");
    }

    [TestCaseSource(nameof(UnsafeEntries))]
    public async Task An_unsafe_archive_is_refused_with_its_entry_and_leaves_nothing(Action<TarBuilder> entries, string says)
    {
        var error = await room.RefusedAsync(new FakeRelease { With = entries }.ToArchive());

        Assert.That(error.Reason, Is.EqualTo("ARCHIVE_UNSAFE"));
        Assert.That(error.Message, Does.Contain(says));
    }

    private static IEnumerable<TestCaseData> CorruptArchives()
    {
        static TestCaseData Case(string name, byte[] archive, string says)
            => new TestCaseData(archive, says).SetName($"Refused_because_the_archive_{name}");

        var whole = new FakeRelease { Ballast = 50_000 }.ToArchive();
        yield return Case("is_not_gzip", "this is no archive"u8.ToArray(), "");
        yield return Case("is_gzip_of_something_else", TarBuilder.Gzip([.. Enumerable.Repeat((byte)'x', 2000)]), "there is no tar header where one must be");
        yield return Case("is_gzip_of_nothing", TarBuilder.Gzip([]), "truncated");
        yield return Case("is_gzip_of_an_end", TarBuilder.Gzip(new byte[1024]), "releases/start_erl.data is missing");
        yield return Case("has_no_end", TarBuilder.Gzip(new TarBuilder().File("a", "x").ToTar(end: false)), "truncated");
        yield return Case("lacks_its_last_byte", whole[..^1], "");
        yield return Case("lacks_its_gzip_checksum", whole[..^8], "");
        yield return Case("has_garbage_after_its_end", [.. whole, .. "garbage"u8], "after its end");
        yield return Case("has_a_second_archive_after_its_end", [.. whole, .. whole], "after the end of the tar archive");
        yield return Case("is_in_two_gzip_members", [.. TarBuilder.Gzip(new TarBuilder().File("a", "x").ToTar()), .. TarBuilder.Gzip(new byte[512])], "something after its end");
        yield return Case("has_a_negative_size", Damaged(t => t[124] = 0xFF), "out of range");
        yield return Case("has_a_size_that_is_not_a_number", Damaged(t => t[130] = (byte)'x'), "not a number");
        yield return Case("has_a_name_that_is_not_UTF_8", Damaged(t => t[0] = 0xFF), "not UTF-8");
        yield return Case("has_a_name_that_would_steer_a_terminal", Damaged(t => (t[0], t[1], t[2]) = (0x9B, (byte)'2', (byte)'J')), "name \uFFFD2J is not UTF-8");
        yield return Case("has_a_huge_extended_header", new TarBuilder().Entry("x", 'x', size: 2_000_000_000).ToGzip(), "claims 2000000000 bytes");
        yield return Case("has_a_huge_long_name", new TarBuilder().Entry("x", 'L', size: 1L << 40).ToGzip(), "claims 1099511627776 bytes");
        yield return Case("has_a_malformed_extended_header", new TarBuilder().Entry("x", 'x', content: "99 path=a\n"u8.ToArray()).ToGzip(), "malformed");
        yield return Case("sets_names_for_all", new TarBuilder().Entry("x", 'g', content: "10 path=a\n"u8.ToArray()).ToGzip(), "global tar header");

        static byte[] Damaged(Action<byte[]> damage)
        {
            var tar = new TarBuilder().File("a", "x").ToTar();
            damage(tar);
            tar.AsSpan(148, 8).Fill((byte)' ');
            var sum = Convert.ToString(tar.Take(512).Sum(b => b), 8).PadLeft(6, '0') + "\0 ";
            System.Text.Encoding.ASCII.GetBytes(sum).CopyTo(tar, 148);
            return TarBuilder.Gzip(tar);
        }
    }

    [TestCaseSource(nameof(CorruptArchives))]
    public async Task A_corrupt_archive_is_refused_and_leaves_nothing(byte[] archive, string says)
    {
        var error = await room.RefusedAsync(archive);

        Assert.That(error.Reason, Is.EqualTo("ARCHIVE_CORRUPT").Or.EqualTo("NOT_A_RELEASE"));
        Assert.That(error.Message, Does.Contain(says));
    }

    [Test]
    public async Task An_archive_cut_anywhere_is_refused()
    {
        var whole = new FakeRelease { Ballast = 20_000 }.ToArchive();
        var random = new Random(7);
        foreach (var length in Enumerable.Range(0, 60).Select(_ => random.Next(1, whole.Length)))
        {
            var error = await room.RefusedAsync(whole[..length]);
            Assert.That(error.Reason, Is.EqualTo("ARCHIVE_CORRUPT"), $"cut to {length} of {whole.Length} bytes");
        }
    }

    [Test]
    public void A_tar_with_damaged_bytes_is_unpacked_or_refused_but_never_fails_otherwise()
    {
        // Past gzip's checksum: the damage is in the tar itself.
        var tar = new FakeRelease { With = t => t.Symlink("l", "bin/shop").HardLink("h", "bin/shop").Entry("x", 'x', content: "12 path=abc\n"u8.ToArray()).File("y", "z") };
        using var plain = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(new MemoryStream(tar.ToArchive()), System.IO.Compression.CompressionMode.Decompress)) gzip.CopyTo(plain);
        var whole = plain.ToArray();
        var random = new Random(11);
        for (var round = 0; round < 400; round++)
        {
            var damaged = whole.ToArray();
            for (var flips = random.Next(1, 4); flips > 0; flips--) damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            if (round % 2 == 0) RepairChecksums(damaged);
            var (root, archive) = (Path.Combine(room.Data, $"tree{round}"), Path.Combine(room.Data, "archive"));
            Directory.CreateDirectory(root);
            File.WriteAllBytes(archive, TarBuilder.Gzip(damaged));
            try
            {
                ReleaseArchive.Unpack(archive, root, room.Limits, DiskSpace.Real(room.Limits), CancellationToken.None);
            }
            catch (OperatorException exception)
            {
                Assert.That(exception.Error.IsAboutContent(), Is.True, exception.Error.Reason);
            }
        }

        Assert.That(Directory.GetFileSystemEntries(room.Data), Has.Length.EqualTo(401), "something was written beside the trees");
    }

    [Test]
    public async Task A_bomb_is_stopped_while_it_unpacks()
    {
        var error = await room.RefusedAsync(new FakeRelease { With = t => t.File("lib/zeros", new byte[32 << 20]) }.ToArchive());

        Assert.That(error.Reason, Is.EqualTo("ARCHIVE_TOO_LARGE"));
        Assert.That(error.Message, Does.Contain("more than 100 times its size"));
    }

    [Test]
    public async Task An_entry_that_claims_too_much_is_refused_before_it_is_read()
    {
        var error = await room.RefusedAsync(new FakeRelease { With = t => t.Entry("lib/huge", '0', size: long.MaxValue) }.ToArchive());

        Assert.That(error.Reason, Is.EqualTo("ARCHIVE_TOO_LARGE"));
        Assert.That(error.Message, Does.Contain("lib/huge claims 9223372036854775807 bytes"));
    }

    [TestCase("lib/{0}", TestName = "Too_many_files")]
    [TestCase("{0}/a/b/c/d/e/f", TestName = "Too_many_directories_that_are_only_implied")]
    public async Task Too_many_entries_are_refused(string name)
    {
        var error = await room.RefusedAsync(new FakeRelease
        {
            With = t =>
            {
                for (var i = 0; i < 501; i++) t.File(string.Format(null, name, i), "");
            },
        }.ToArchive());

        Assert.That(error.Reason, Is.EqualTo("ARCHIVE_TOO_LARGE"));
        Assert.That(error.Message, Does.Contain("more than 500"));
    }

    [TestCase(TarEntryFormat.V7)]
    [TestCase(TarEntryFormat.Ustar)]
    [TestCase(TarEntryFormat.Pax)]
    [TestCase(TarEntryFormat.Gnu)]
    public void Every_usual_format_is_unpacked_to_the_last_byte(TarEntryFormat format)
    {
        var names = new List<string> { "a", "d/b", "d/sixty" + new string('x', 60) };
        if (format != TarEntryFormat.V7) names.Add(new string('p', 90) + "/" + new string('n', 90));
        if (format is TarEntryFormat.Pax or TarEntryFormat.Gnu) names.AddRange([string.Concat(Enumerable.Repeat("long/", 40)) + new string('n', 200), "ünïcode"]);
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, format, leaveOpen: true))
        {
            foreach (var name in names)
            {
                var entry = TarEntry(format, name);
                entry.DataStream = new MemoryStream(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name)));
                writer.WriteEntry(entry);
            }
        }

        var (root, archive) = (Path.Combine(room.Data, "tree"), Path.Combine(room.Data, "archive"));
        Directory.CreateDirectory(root);
        File.WriteAllBytes(archive, TarBuilder.Gzip(tar.ToArray()));
        var unpacked = ReleaseArchive.Unpack(archive, root, room.Limits, DiskSpace.Real(room.Limits), CancellationToken.None);

        Assert.That(unpacked.Bytes, Is.EqualTo(names.Count * 32));
        foreach (var name in names) Assert.That(File.ReadAllBytes(Path.Combine(root, name)), Is.EqualTo(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name))), name);
    }

    private static TarEntry TarEntry(TarEntryFormat format, string name) => format switch
    {
        TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, name),
        TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
        TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name),
        _ => new GnuTarEntry(TarEntryType.RegularFile, name),
    };

    private static void RepairChecksums(byte[] tar)
    {
        for (var at = 0; at + 512 <= tar.Length; at += 512)
        {
            if (!tar.AsSpan(at + 257, 5).SequenceEqual("ustar"u8)) continue;
            var block = tar.AsSpan(at, 512);
            block[148..156].Fill((byte)' ');
            var sum = 0;
            foreach (var b in block) sum += b;
            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(block[148..156]);
        }
    }
}
