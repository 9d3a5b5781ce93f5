//! The words that people, firms and places of a generated set are made of.
//!
//! Common given names, surnames and words, listed by us from general knowledge; firms are coined
//! from them and stand for no real one.

/// The names of one part of the world.
#[derive(Debug)]
pub(super) struct Culture {
    /// The country's name as a directory writes it.
    pub(super) country: &'static str,
    /// Other ways in which a CRM writes the country.
    pub(super) country_aliases: &'static [&'static str],
    /// Calling code.
    pub(super) calling_code: &'static str,
    /// National domain.
    pub(super) domain: &'static str,
    pub(super) given: &'static str,
    pub(super) surnames: &'static str,
    /// Second halves of rarer surnames; the first halves are [`SURNAME_STEMS`].
    pub(super) surname_endings: &'static str,
    /// Cities, with the state after a slash where the country has states.
    pub(super) cities: &'static str,
    /// Legal forms.
    pub(super) legal_forms: &'static str,
    /// How many of a thousand people live here.
    pub(super) weight: u64,
}

pub(super) static CULTURES: [Culture; 8] = [
    Culture {
        country: "United States",
        country_aliases: &["USA", "US", "U.S.", "United States of America"],
        calling_code: "1",
        domain: "com",
        given: "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William \
            Barbara Richard Susan Joseph Jessica Thomas Sarah Christopher Karen Charles Lisa \
            Daniel Nancy Matthew Betty Anthony Sandra Mark Margaret Donald Ashley Steven Kimberly \
            Andrew Emily Paul Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Melissa \
            Timothy Deborah Ronald Stephanie George Rebecca Jason Laura Edward Helen Jeffrey \
            Sharon Ryan Cynthia Jacob Kathleen Nicholas Amy Gary Angela Eric Shirley Jonathan \
            Brenda Stephen Pamela Larry Nicole Justin Ruth Scott Katherine Brandon Samantha \
            Benjamin Christine Samuel Catherine Gregory Virginia Alexander Debra Patrick Rachel \
            Frank Janet Raymond Emma Jack Carolyn Dennis Maria Jerry Heather Tyler Diane Aaron \
            Julie",
        surnames: "Smith Johnson Williams Brown Jones Davis Miller Wilson Moore Taylor Anderson \
            Thomas Jackson White Harris Martin Thompson Robinson Clark Lewis Lee Walker Hall Allen \
            Young King Wright Scott Green Baker Adams Nelson Hill Campbell Mitchell Roberts Carter \
            Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy Cook Rogers Morgan \
            Cooper Peterson Reed Bailey Bell Kelly Howard Ward Cox Richardson Wood Watson Brooks \
            Bennett Gray Hughes Price Myers Long Foster Sanders Ross Powell Sullivan Russell \
            Jenkins Perry Butler Barnes Fisher",
        surname_endings: "son ton ley ford worth field wood man ham well land more by wick bridge \
             stone",
        cities: "New York City/New York|Los Angeles/California|Chicago/Illinois|Houston/Texas|\
            Phoenix/Arizona|Philadelphia/Pennsylvania|San Antonio/Texas|San Diego/California|\
            Dallas/Texas|Austin/Texas|Columbus/Ohio|Charlotte/North Carolina|San Francisco/\
            California|Seattle/Washington|Denver/Colorado|Boston/Massachusetts|Nashville/Tennessee|\
            Portland/Oregon|Atlanta/Georgia|Miami/Florida|Minneapolis/Minnesota|Detroit/Michigan",
        legal_forms: "Inc.|LLC|Corporation|Corp.|Co.|LP",
        weight: 520,
    },
    Culture {
        country: "United Kingdom",
        country_aliases: &["UK", "GB", "Great Britain", "England"],
        calling_code: "44",
        domain: "co.uk",
        given: "Oliver Olivia George Amelia Harry Isla Jack Ava Jacob Emily Noah Sophia Charlie \
            Grace Thomas Mia Oscar Poppy William Ella James Lily Henry Evie Leo Charlotte Alfie \
            Jessica Joshua Daisy Freddie Alice Archie Freya Ethan Florence Isaac Matilda Alexander \
            Evelyn Joseph Rosie Edward Phoebe Samuel Sienna Max Harriet Logan Imogen",
        surnames: "Smith Jones Taylor Williams Brown White Harris Martin Davies Wilson Cooper \
            Evans King Thomas Baker Green Wright Johnson Edwards Clark Roberts Robinson Hall Lewis \
            Clarke Young Davis Turner Hill Phillips Collins Allen Moore Thompson Carter James \
            Knight Walker Wood Hughes Parker Ward Bennett Shaw Ellis Kelly Foster Chapman Mason",
        surname_endings: "ington bury thorpe shaw cott combe gate worth ley ham ton hurst",
        cities: "London/England|Manchester/England|Birmingham/England|Leeds/England|Glasgow/\
            Scotland|Bristol/England|Edinburgh/Scotland|Liverpool/England|Cardiff/Wales|Reading/\
            England|Cambridge/England|Oxford/England",
        legal_forms: "Ltd|Limited|PLC|LLP",
        weight: 120,
    },
    Culture {
        country: "Germany",
        country_aliases: &["DE", "Deutschland", "GER"],
        calling_code: "49",
        domain: "de",
        given: "Lukas Anna Maximilian Lena Jonas Laura Paul Lea Leon Marie Felix Sophie Jan Julia \
            Tim Katharina Jürgen Sabine Günter Ursula Jörg Petra Wolfgang Monika Stefan Claudia \
            Andreas Birgit Thomas Heike Matthias Anke Sören Bärbel Markus Nicole Ralf Silke Uwe \
            Kerstin Dieter Renate Holger Gabriele Björn Dörte Karsten Ulrike",
        surnames: "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann \
            Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger \
            Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann Schmid Schulze Maier Köhler \
            Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß",
        surname_endings: "mann berger bach stein feld hofer meier ler bauer thal hausen inger",
        cities: "Berlin|Hamburg|München|Köln|Frankfurt|Stuttgart|Düsseldorf|Leipzig|Dortmund|Essen|\
            Bremen|Dresden|Hannover|Nürnberg|Duisburg|Mannheim|Münster|Karlsruhe",
        legal_forms: "GmbH|AG|KG|SE",
        weight: 90,
    },
    Culture {
        country: "France",
        country_aliases: &["FR", "FRA"],
        calling_code: "33",
        domain: "fr",
        given: "Gabriel Jade Léo Louise Raphaël Emma Louis Alice Lucas Chloé Hugo Lina Arthur Léa \
            Jules Manon Paul Zoé Nathan Camille Théo Sarah Antoine Inès Maxime Juliette Clément \
            Élise François Hélène Jérôme Aurélie Étienne Céline Benoît Agnès Frédéric Stéphanie \
            Sébastien Émilie Rémi Noémie",
        surnames: "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon \
            Laurent Lefebvre Michel Garcia David Bertrand Roux Vincent Fournier Morel Girard André \
            Lefèvre Mercier Dupont Lambert Bonnet François Martinez Legrand Garnier Faure Rousseau \
            Blanc Guérin Muller Henry Roussel Nicolas Perrin Morin Mathieu Clément Gauthier",
        surname_endings: "eau ier ot in ard et elle on aut ois",
        cities: "Paris|Marseille|Lyon|Toulouse|Nice|Nantes|Montpellier|Strasbourg|Bordeaux|Lille|\
            Rennes|Reims|Grenoble|Dijon",
        legal_forms: "SA|SAS|SARL",
        weight: 70,
    },
    Culture {
        country: "Spain",
        country_aliases: &["ES", "España"],
        calling_code: "34",
        domain: "es",
        given: "Hugo Lucía Mateo Sofía Martín Martina Lucas María Leo Julia Daniel Paula Alejandro \
            Valeria Manuel Emma Pablo Daniela Álvaro Carla Adrián Alba David Noa Mario Sara José \
            Carmen Antonio Ana Javier Isabel Francisco Laura Carlos Elena Miguel Cristina Rafael \
            Marta Pedro Pilar Ángel Raquel",
        surnames: "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín \
            Jiménez Ruiz Hernández Díaz Moreno Álvarez Muñoz Romero Alonso Gutiérrez Navarro \
            Torres Domínguez Vázquez Ramos Gil Ramírez Serrano Blanco Molina Morales Suárez Ortega \
            Delgado Castro Ortiz Rubio Marín Sanz Núñez Iglesias Medina Garrido Cortés Castillo",
        surname_endings: "ez illa eda ero osa ada al ano era ino",
        cities: "Madrid|Barcelona|Valencia|Sevilla|Zaragoza|Málaga|Murcia|Palma|Bilbao|Alicante|\
            Córdoba|Valladolid|Vigo|Gijón",
        legal_forms: "S.A.|S.L.",
        weight: 60,
    },
    Culture {
        country: "India",
        country_aliases: &["IN", "IND"],
        calling_code: "91",
        domain: "in",
        given: "Aarav Aadhya Vivaan Diya Aditya Ananya Arjun Saanvi Sai Priya Rohan Kavya Rahul \
            Neha Amit Pooja Vikram Anjali Sanjay Sunita Rajesh Deepa Suresh Lakshmi Karthik Meera \
            Manoj Shreya Anil Divya Ravi Swati Nikhil Nisha Vijay Rekha Ashok Geeta Prakash Asha \
            Sandeep Ritu",
        surnames: "Sharma Verma Gupta Singh Kumar Patel Shah Mehta Reddy Nair Iyer Rao Joshi Desai \
            Kapoor Khan Das Bose Mukherjee Chatterjee Banerjee Ghosh Sen Malhotra Chopra Bhat \
            Menon Pillai Naidu Agarwal Jain Mishra Pandey Tiwari Yadav Chauhan Thakur Saxena \
            Srivastava Kulkarni Patil Deshmukh",
        surname_endings: "kar wala nathan murthy swamy rajan pur gaonkar",
        cities: "Mumbai/Maharashtra|Delhi|Bengaluru/Karnataka|Hyderabad/Telangana|Chennai/Tamil \
            Nadu|Kolkata/West Bengal|Pune/Maharashtra|Ahmedabad/Gujarat|Jaipur/Rajasthan|Gurgaon/\
            Haryana|Noida/Uttar Pradesh",
        legal_forms: "Pvt Ltd|Private Limited|Ltd",
        weight: 70,
    },
    Culture {
        country: "China",
        country_aliases: &["CN", "PRC", "People's Republic of China"],
        calling_code: "86",
        domain: "cn",
        given: "Wei Fang Min Jing Li Qiang Lei Jun Yang Yong Yan Jie Juan Tao Ming Chao Xia Ping \
            Gang Hui Xin Yu Hao Ting Na Bo Long Kai Hua Jian Xiaoming Xiaoli Jianguo Zhiwei Haitao \
            Yuting Meiling Jiahui Zihan Haoran Yichen Ruoxi",
        surnames: "Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Lin Gao \
            Luo Zheng Liang Xie Song Tang Deng Han Feng Cao Peng Zeng Xiao Tian Dong Pan Yuan Cai \
            Jiang Yu Du Ye Cheng Wei Su Lu Ding Ren Yao",
        surname_endings: "",
        cities: "Shanghai|Beijing|Guangzhou|Shenzhen|Chengdu|Hangzhou|Wuhan|Nanjing|Suzhou|Qingdao|\
             Xiamen|Tianjin",
        legal_forms: "Co., Ltd.|Group Co Ltd|Ltd",
        weight: 40,
    },
    Culture {
        country: "Poland",
        country_aliases: &["PL", "Polska"],
        calling_code: "48",
        domain: "pl",
        given: "Jakub Zuzanna Antoni Julia Jan Maja Szymon Zofia Franciszek Hanna Filip Lena \
            Aleksander Alicja Mikołaj Maria Wojciech Amelia Kacper Oliwia Adam Aleksandra Michał \
            Wiktoria Marcel Emilia Stanisław Łucja Piotr Małgorzata Krzysztof Agnieszka Tomasz \
            Katarzyna Paweł Barbara",
        surnames: "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński \
            Szymański Woźniak Dąbrowski Kozłowski Jankowski Mazur Wojciechowski Kwiatkowski \
            Krawczyk Kaczmarek Piotrowski Grabowski Zając Pawłowski Michalski Król Wieczorek \
            Jabłoński Wróbel Nowakowski Majewski Olszewski Stępień Malinowski Jaworski Adamczyk",
        surname_endings: "owski ewski icki czyk ak iński arz",
        cities: "Warszawa|Kraków|Łódź|Wrocław|Poznań|Gdańsk|Szczecin|Lublin|Katowice|Białystok",
        legal_forms: "S.A.|Sp. z o.o.",
        weight: 30,
    },
];

/// First halves of rarer surnames.
pub(super) static SURNAME_STEMS: &str = "Ash Bar Bel Ber Bran Brad Bur Cal Car Chel Cor Cran Dal \
    Dar Den Dor Dun Ed El Em Fal Fen Fer Gal Gar Gil Glen Gol Gran Hal Har Hart Hel Hol Hor Ken \
    Kil Kin Kir Lam Lan Lin Loch Mal Mar Mel Mer Mil Mon Mor Nor Nor Oak Old Or Os Par Pem Pen \
    Pres Quar Rad Ram Red Ros Roth Rud Sal San Sel Shel Sher Sil Stan Stan Stor Stra Sut Tal Tan \
    Ten Thor Til Tor Tre Vale Van Ver Wal War Wel Wes Whit Wil Win Wol Wy Yar Zan";

/// Middles of the rarest surnames, between stem and ending.
pub(super) static SURNAME_MIDDLES: &str = "a e i o en er ing al an ar and el il in on or ul und";

/// Halves of coined firm names.
pub(super) static COINED_STARTS: &str = "Acu Adva Aero Alti Ambi Apex Aqua Arbo Arca Astro Atla \
    Auro Axi Beta Bio Blu Brio Cala Cedar Cira Clari Cobal Cogni Core Corti Cyno Data Delta Digi \
    Dyna Echo Eco Elan Elec Emer Ener Epi Equi Ever Exa Fide Flexi Forti Fusi Gala Gamma Geo Giga \
    Gran Helio Hexa Hydro Icon Illu Impa Indi Inno Inte Iso Jupi Kine Lexi Linea Luma Macro Magna \
    Mari Matri Medi Mega Meri Meta Micro Mira Mobi Moda Nano Nava Neo Nexo Nimbu Nova Octa Omni \
    Opti Orbi Orio Paci Pana Pera Pinna Plati Poly Prima Pulsa Quanta Quest Radi Rapi Regen Rho \
    Sana Secu Senti Sera Sigma Sola Soni Spec Stella Strata Summi Syner Tacti Tecto Tela Terra \
    Tita Trans Tria Ultra Uni Vanta Vecto Veri Vero Vesta Via Vira Vita Volta Xena Zeni Zeta";
/// Second halves of coined firm names.
pub(super) static COINED_ENDS: &str = "base bit bridge cade cast chem con core cor craft cross dex \
    dia dyne edge field flow form gen gent genix gio grid labs lane lex line link lith logic lon \
    lume lux mark max med mere metric mind mond nar net nex nica nix nomy nova path phase pharm \
    plex point port pulse quest rail ram ray rise ron scale scape scope sense set shift sol source \
    span spire star stream sync tek tel terra tex tide tion tone track trax tris tron trust vance \
    vant vault vera vest view vine vise volt ward ware wave way well works yard zen zon";

/// The trades of firms, with the industry as a directory writes it.
pub(super) static TRADES: &[(&str, &str)] = &[
    ("Software", "Software"),
    ("Systems", "IT Services"),
    ("Technologies", "IT Services"),
    ("Consulting", "Commercial Services & Supplies"),
    ("Logistics", "Air Freight & Logistics"),
    ("Pharmaceuticals", "Pharmaceuticals"),
    ("Biosciences", "Biotechnology"),
    ("Energy", "Oil, Gas & Consumable Fuels"),
    ("Insurance", "Insurance"),
    ("Bank", "Banks"),
    ("Capital Partners", "Capital Markets"),
    ("Engineering", "Construction & Engineering"),
    ("Construction", "Construction & Engineering"),
    ("Foods", "Food Products"),
    ("Media", "Media"),
    ("Communications", "Communications Equipment"),
    ("Manufacturing", "Machinery"),
    ("Medical", "Health Care Equipment & Supplies"),
    ("Dental Group", "Health Care Providers & Services"),
    ("Chemicals", "Chemicals"),
    ("Motors", "Automobiles"),
    ("Hotels", "Hotels, Restaurants & Leisure"),
    ("Retail Group", "Specialty Retail"),
    ("Aerospace", "Aerospace & Defense"),
    ("Mining", "Metals & Mining"),
    ("International", "Trading Companies & Distributors"),
    ("Industries", "Industrial Conglomerates"),
    ("Services", "Commercial Services & Supplies"),
    ("Financial Management", "Diversified Financial Services"),
    ("Development", "Real Estate Management & Development"),
];

/// Words of a firm's name and their short forms.
pub(super) static SHORT_WORDS: &[(&str, &str)] = &[
    ("International", "Intl"),
    ("Technologies", "Tech"),
    ("Manufacturing", "Mfg"),
    ("Pharmaceuticals", "Pharma"),
    ("Management", "Mgmt"),
    ("Services", "Svcs"),
    ("Industries", "Ind."),
    ("Financial", "Fin."),
    ("Communications", "Comm"),
    ("Engineering", "Eng"),
    ("Development", "Dev"),
    ("Corporation", "Corp"),
    ("Limited", "Ltd"),
];

/// Ranks of a job title, with a short form where one is common.
pub(super) static RANKS: &[(&str, &str)] = &[
    ("Vice President of {}", "VP {}"),
    ("Senior Vice President, {}", "SVP, {}"),
    ("Director of {}", "Dir. {}"),
    ("Senior Director of {}", "Sr. Director {}"),
    ("Head of {}", "Head of {}"),
    ("{} Manager", "{} Mgr"),
    ("Senior {} Manager", "Sr. {} Mgr"),
    ("{} Specialist", "{} Specialist"),
    ("{} Analyst", "{} Analyst"),
    ("{} Coordinator", "{} Coord."),
    ("Regional {} Lead", "Regional {} Lead"),
    ("Chief {} Officer", "Chief {} Officer"),
];

/// The subjects of jobs, with a short form.
pub(super) static FIELDS: &[(&str, &str)] = &[
    ("Sales", "Sales"),
    ("Marketing", "Mktg"),
    ("Engineering", "Eng."),
    ("Product", "Product"),
    ("Finance", "Finance"),
    ("Operations", "Ops"),
    ("Human Resources", "HR"),
    ("Information Technology", "IT"),
    ("Business Development", "BD"),
    ("Customer Success", "CS"),
    ("Legal", "Legal"),
    ("Procurement", "Procurement"),
    ("Supply Chain", "Supply Chain"),
    ("Research and Development", "R&D"),
    ("Quality Assurance", "QA"),
    ("Security", "Security"),
];

/// Given names and how their bearers are called.
pub(super) static NICKNAMES: &[(&str, &str)] = &[
    ("James", "Jim"),
    ("Robert", "Bob"),
    ("Patricia", "Pat"),
    ("John", "Jack"),
    ("Jennifer", "Jen"),
    ("Michael", "Mike"),
    ("David", "Dave"),
    ("Elizabeth", "Liz"),
    ("William", "Bill"),
    ("Barbara", "Barb"),
    ("Richard", "Rick"),
    ("Susan", "Sue"),
    ("Joseph", "Joe"),
    ("Jessica", "Jess"),
    ("Thomas", "Tom"),
    ("Christopher", "Chris"),
    ("Charles", "Chuck"),
    ("Daniel", "Dan"),
    ("Matthew", "Matt"),
    ("Anthony", "Tony"),
    ("Margaret", "Peggy"),
    ("Donald", "Don"),
    ("Steven", "Steve"),
    ("Kimberly", "Kim"),
    ("Andrew", "Andy"),
    ("Joshua", "Josh"),
    ("Kenneth", "Ken"),
    ("Timothy", "Tim"),
    ("Deborah", "Debbie"),
    ("Ronald", "Ron"),
    ("Stephanie", "Steph"),
    ("Rebecca", "Becky"),
    ("Edward", "Ted"),
    ("Jeffrey", "Jeff"),
    ("Nicholas", "Nick"),
    ("Katherine", "Kate"),
    ("Benjamin", "Ben"),
    ("Samuel", "Sam"),
    ("Catherine", "Cathy"),
    ("Gregory", "Greg"),
    ("Alexander", "Alex"),
    ("Maximilian", "Max"),
    ("Katharina", "Kathi"),
    ("Francisco", "Paco"),
    ("José", "Pepe"),
    ("Małgorzata", "Gosia"),
];

/// Streets, to be numbered.
pub(super) static STREETS: &[&str] = &[
    "Main Street",
    "Market Street",
    "High Street",
    "Park Avenue",
    "King Street",
    "Station Road",
    "Church Street",
    "Victoria Road",
    "Harbour Road",
    "Mill Lane",
    "Oak Avenue",
    "Broadway",
    "Industrial Drive",
    "Garden Street",
    "College Road",
];

/// Mail hosts open to everyone.
pub(super) static FREE_MAIL: &[&str] =
    &["gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "gmx.de"];
